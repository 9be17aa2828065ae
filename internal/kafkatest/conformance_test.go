package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"billstream/internal/devbroker"
)

// backend is a broker that the statements are tried on.
type backend struct {
	addr     string
	cleaning time.Duration // how long compaction may take

	// differs says where the broker is known to be unlike Kafka: the sentence of
	// a statement that does not hold, and how it is otherwise.
	differs map[string]difference
}

// difference is one that may stay.
type difference struct {
	why string
	got string // a part of what the statement says, so that nothing else hides there
}

// embedded is what the quick tests run on, and so what they may believe.
func embedded(addr string) backend {
	return backend{addr: addr, cleaning: time.Second, differs: map[string]difference{
		"the end of a transaction whose producer is fenced is refused as that": {
			why: "it takes the old epoch for one that is ended again", got: "answer to EndTxn is INVALID_TXN_STATE",
		},
		"offsets of an unknown group are empty without an error": {
			why: "it wants the group to be there", got: "answer to OffsetFetch is GROUP_ID_NOT_FOUND",
		},
		"an unknown setting of a topic is refused": {
			why: "it keeps settings without a look", got: "answer to CreateTopics is <nil>",
		},
		"an unknown value of a topic's setting is refused": {
			why: "it keeps settings without a look", got: "answer to CreateTopics is <nil>",
		},
		"compaction keeps the newest row of each key when the log ends in markers": {
			why: "its cleaner would stop every request, and so never runs", got: "wait until old rows are gone",
		},
	}}
}

// statementWait is for one statement on a machine with better things to do.
const statementWait = 30 * time.Second

func TestEmbeddedConforms(t *testing.T) {
	b, err := devbroker.Start(devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	conforms(t, embedded(b.Addr()))
}

// conforms tries every statement. What does not hold must be declared, and what
// is declared must not hold.
func conforms(t *testing.T, b backend) {
	for sentence := range b.differs {
		if !slices.ContainsFunc(statements, func(s statement) bool { return s.sentence == sentence }) {
			t.Errorf("a difference is declared of %q, want it of a statement", sentence)
		}
	}
	for _, s := range statements {
		t.Run(s.sentence, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), statementWait)
			defer cancel()
			e := newEnv(ctx, t, b)
			if err := e.coordinators(); err != nil {
				t.Fatal(err)
			}
			if problem := judged(s.hold(e), b.differs[s.sentence]); problem != "" {
				t.Error(problem)
			}
		})
	}
}

// judged is what is wrong with a statement's outcome, given the difference that
// is declared of it, if any.
func judged(err error, declared difference) string {
	switch none := declared == (difference{}); {
	case err != nil && none:
		return fmt.Sprintf("does not hold, and no difference is declared: %v", err)
	case err == nil && !none:
		return fmt.Sprintf("holds, want the difference that is declared (%s), or its declaration gone", declared.why)
	case err != nil && !strings.Contains(err.Error(), declared.got):
		return fmt.Sprintf("differs in another way than declared (%s): %v, want %s", declared.why, err, declared.got)
	}
	return ""
}

func TestADifferenceMustBeDeclaredAndBeThere(t *testing.T) {
	broken := errors.New("epoch is 1, want 2")
	counts := difference{why: "it counts otherwise", got: "epoch is 1"}
	for _, c := range []struct {
		err      error
		declared difference
		want     string
	}{
		{nil, difference{}, ""},
		{broken, counts, ""},
		{broken, difference{}, "does not hold, and no difference is declared: epoch is 1, want 2"},
		{nil, counts, "holds, want the difference that is declared (it counts otherwise), or its declaration gone"},
		{context.Canceled, counts, "differs in another way than declared (it counts otherwise): context canceled, want epoch is 1"},
	} {
		if got := judged(c.err, c.declared); got != c.want {
			t.Errorf("judgement of (%v, %v) is %q, want %q", c.err, c.declared, got, c.want)
		}
	}
}
