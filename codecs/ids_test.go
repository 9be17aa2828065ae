package codecs_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"billstream/codecs"
)

func TestIDsComeInTheirOrderAndAsOftenAsTheyAreThere(t *testing.T) {
	for body, want := range map[string][]string{
		`{"ids":[]}`:    nil,
		`{"ids":["a"]}`: {"a"},
		" {\n\t\"ids\" :\r[ \"b\" , \"a\",\"b\" ] } ":     {"b", "a", "b"},
		`{"\u0069ds":["\u00e9","\ud83d\ude00","\"\\\/"]}`: {"é", "😀", `"\/`},
		`{"ids":["","~x","a,b","{}"]}`:                    {"", "~x", "a,b", "{}"},
	} {
		got, err := codecs.ParseIDs(body, 4)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ids of %s are %q, %v, want %q", body, got, err, want)
		}
	}
}

func TestBodiesThatNameNoIDsAreRefused(t *testing.T) {
	for body, want := range map[string]string{
		``:                         "body is broken, want a JSON object: it does not begin with one",
		`[]`:                       "body is broken, want a JSON object: it does not begin with one",
		`{`:                        "body is broken, want a JSON object: it is not JSON",
		`{"ids"}`:                  "body is broken, want a JSON object: it is not JSON",
		`{"ids":}`:                 "body is broken, want a JSON object: it is not JSON",
		`{"ids":[}`:                "body is broken, want a JSON object: it is not JSON",
		`{"ids":["a",]}`:           "body is broken, want a JSON object: it is not JSON",
		`{"ids":["a" "b"]}`:        "body is broken, want a JSON object: it is not JSON",
		`{"ids":["a"]`:             "body is broken, want a JSON object: it is not JSON",
		`{"ids":["a"],}`:           "body is broken, want a JSON object: it is not JSON",
		`{"ids":["a"]}x`:           "body is broken, want a JSON object: something stands behind it",
		`{}x`:                      "body is broken, want a JSON object: something stands behind it",
		"{\"ids\":[\"\xff\"]}":     "body is broken, want a JSON object: it is no valid UTF-8",
		`{"ids":["\ud83d"]}`:       "body is broken, want a JSON object: a string has half a surrogate pair",
		`{}`:                       "ids is absent, want an array of customer ids",
		`{"ids":null}`:             "ids is null, want an array of customer ids",
		`{"ids":"a"}`:              "ids is a string, want an array of customer ids",
		`{"ids":{"a":1}}`:          "ids is an object, want an array of customer ids",
		`{"ids":["a",7]}`:          "id 1 is a number, want a string",
		`{"ids":[["a"]]}`:          "id 0 is an array, want a string",
		`{"ids":[null]}`:           "id 0 is null, want a string",
		`{"ids":["a","b","c"]}`:    "ids is more than 2 ids, want at most that",
		`{"ids":["a"],"ids":[]}`:   "ids is there twice, want it once",
		`{"ids":["a"],"as_of":""}`: "member is unknown, want ids",
		`{"IDs":["a"]}`:            "member is unknown, want ids",
	} {
		ids, err := codecs.ParseIDs(body, 2)
		if err == nil || err.Error() != want {
			t.Errorf("%q gives %q, %v, want %s", body, ids, err, want)
		}
		if _, member := errors.AsType[*codecs.MemberError](err); member == errors.Is(err, codecs.ErrBody) {
			t.Errorf("%q gives a %T, want ErrBody or a member", body, err)
		}
	}
	_, err := codecs.ParseIDs(`{"\u0061s_of":1}`, 2)
	if e, ok := errors.AsType[*codecs.MemberError](err); !ok || e.Name != "as_of" {
		t.Errorf("error is %+v, want one that names as_of", err)
	}
}

func TestIDsAreReadWithOneAllocation(t *testing.T) {
	body := `{"ids":["` + strings.Repeat(`c-1001","`, 99) + `c-1001"]}`
	if got := testing.AllocsPerRun(100, func() {
		if _, err := codecs.ParseIDs(body, 1000); err != nil {
			t.Fatal(err)
		}
	}); got != 1 {
		t.Errorf("to read 100 ids takes %.0f allocations, want 1", got)
	}
}

func FuzzParseIDs(f *testing.F) {
	for _, body := range []string{`{"ids":["a","b"]}`, `{"ids":[]}`, `{"ids":["\u00e9\ud83d\ude00"]} `, `{"ids":[1]}`, `{"x":[]}`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		ids, err := codecs.ParseIDs(body, 100)
		if err != nil {
			return
		}
		var want struct {
			IDs []string `json:"ids"`
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil || !slices.Equal(ids, want.IDs) {
			t.Errorf("ids of %q are %q, want %q, %v", body, ids, want.IDs, err)
		}
	})
}
