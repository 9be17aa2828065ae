//go:build chaos

package chaos_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// allPoints are those of all stores.
func allPoints() []string { return slices.Concat(points, snapshotPoints, databasePoints) }

var pointName = regexp.MustCompile(`"((?:eos|views|store)\.[a-z]+(?:-[a-z]+)*)"`)

// TestEveryPointIsTried compares the points of the program with those at which
// the suite kills it.
func TestEveryPointIsTried(t *testing.T) {
	var marked []string
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(`billstream/internal/failpoint"`)) {
			return err
		}
		for _, m := range pointName.FindAllSubmatch(text, -1) {
			marked = append(marked, string(m[1]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(marked)
	marked = slices.Compact(marked)
	if want := slices.Sorted(slices.Values(allPoints())); !slices.Equal(marked, want) {
		t.Errorf("points of the program are\n%v, want\n%v", marked, want)
	}
}

// TestTheProgramAsShippedHasNoPoint builds it without the tag: neither a point
// nor a defect may be in it.
func TestTheProgramAsShippedHasNoPoint(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if out, err := exec.Command("go", "build", "-o", plain, "billstream/cmd/billstream").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	shipped, broken := read(t, plain), read(t, binary)
	for _, name := range append(allPoints(), "BILLSTREAM_CONTROL") {
		if bytes.Contains(shipped, []byte(name)) {
			t.Errorf("program holds %q, want it without", name)
		}
		if !bytes.Contains(broken, []byte(name)) {
			t.Errorf("program with points does not hold %q, want it: this test could not fail", name)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// widened are delays at points, in groups: what is short in a quiet test lasts.
var widened = []struct{ name, delays string }{
	{"processing", "eos.after-apply:2,eos.after-stage:2,eos.after-mark:2,eos.dead-letter-staged:30"},
	{"epoch", "eos.sealed:30,eos.some-updates-acked:30,eos.after-produce:30,eos.before-offsets:30,eos.after-offsets:30,eos.end-sent:30,eos.end-acked:30,eos.after-store:30"},
	{"life", "eos.recovery-start:250,eos.recovery-half:250,eos.recovery-end:250,eos.setup:200,eos.cleanup:200,eos.drain:200"},
}

// TestWidenedPoints makes every step slow while members come, go and die, so
// that faults fall into the steps and not between them.
func TestWidenedPoints(t *testing.T) {
	for _, c := range widened {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, t.Name())
			l.env = []string{"BILLSTREAM_DELAY=" + c.delays, "BILLSTREAM_LEAVE_ON_STOP=true"}
			steady := l.run("steady")
			steady.ready()
			done := l.load(scaled(2_000), 250)
			ids := names(3)
			running := map[string]*worker{}
			for i := range scaled(8) {
				<-time.After(l.around(700 * time.Millisecond))
				l.fault()
				// Whoever is killed comes back: kfake never expires a member that
				// died with its JoinGroup unanswered.
				id := ids[l.rng.IntN(len(ids))]
				if w := running[id]; w != nil && i%2 == 0 {
					w.kill()
				} else if w != nil {
					w.stop()
				}
				running[id] = l.run(id)
			}
			done()
			l.finish(t.Name(), 60*time.Second)
		})
	}
}
