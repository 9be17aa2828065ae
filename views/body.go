package views

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
)

// mediaTypeOf returns the media type of a request's body without parameters, ""
// when it has none that can be read.
func mediaTypeOf(r *http.Request) (string, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return "", &Problem{Code: UnsupportedMediaType, Detail: "request has a Content-Encoding, want none"}
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == jsonType[0] {
		return contentType, nil // by far the most frequent one, and nothing to take apart
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", nil
	}
	return mediaType, nil
}

// appendBody appends the body of r to dst.
func appendBody(dst []byte, r *http.Request) ([]byte, error) {
	if 0 < r.ContentLength && r.ContentLength <= MaxBody {
		dst = slices.Grow(dst, int(r.ContentLength)+1) // and room to meet its end
	}
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, 512)
		}
		n, err := r.Body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return dst, tooLarge(fmt.Sprintf("body is over %d bytes, want at most that", MaxBody), MaxBody)
		}
		if err != nil {
			return dst, &Problem{Code: MalformedBody, Detail: "body broke off before its end"}
		}
	}
}
