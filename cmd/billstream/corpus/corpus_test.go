package corpus_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"testing"

	"billstream/cmd/billstream/corpus"
)

func TestCorpusIsTheOneItsNumbersDescribe(t *testing.T) {
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(r, sum))
	events, customers := 0, make(map[string]bool)
	for lines.Scan() {
		var e struct{ Subject string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("line %d: %v", events+1, err)
		}
		events++
		customers[e.Subject] = true
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if events != corpus.Events || len(customers) != corpus.Customers {
		t.Errorf("corpus has %d events of %d customers, want %d of %d", events, len(customers), corpus.Events, corpus.Customers)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != corpus.SHA256 {
		t.Errorf("sha256 is %s, want %s", got, corpus.SHA256)
	}
}
