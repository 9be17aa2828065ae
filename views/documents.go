package views

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

// The console page. Its parts come from our own origin, which is all that its
// policy allows.
var (
	//go:embed console/index.html
	consoleHTML []byte
	//go:embed console/console.css
	consoleCSS []byte
	//go:embed console/console.js
	consoleJS []byte
	//go:embed console/console.svg
	consoleSVG []byte
)

// document answers with body, always.
func document(contentType string, body []byte) func(http.ResponseWriter, *http.Request) error {
	header := []string{contentType}
	return func(w http.ResponseWriter, _ *http.Request) error {
		return respond(w, http.StatusOK, header, body)
	}
}

// page answers with a part of the console page. The policy lets no other host,
// no inline script and no frame in.
func page(contentType string, body []byte) func(http.ResponseWriter, *http.Request) error {
	answer := document(contentType, body)
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		return answer(w, r)
	}
}

// textType is what the explanations are sent as.
var textType = []string{"text/plain; charset=utf-8"}

// explain answers GET /problems/{code} with what the code means.
func explain(w http.ResponseWriter, r *http.Request) error {
	k, ok := kindOf(Code(r.PathValue("code")))
	if !ok {
		return &Problem{Code: UnknownRoute, Detail: "there is no such problem, want the code of one"}
	}
	text := k.title + " (" + http.StatusText(k.status) + ")\n\n" + k.page + "\n"
	return respond(w, http.StatusOK, textType, []byte(text))
}
