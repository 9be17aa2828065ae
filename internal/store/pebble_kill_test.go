package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"billstream/internal/store"
)

// killedDir tells the test's process that it is the one to be killed.
const killedDir = "BILLSTREAM_TEST_KILLED_DIR"

// numbered is batch i of partition n: some of 400 keys set, some deleted.
func numbered(n int32, i int64) []change {
	r := rand.New(rand.NewPCG(uint64(n), uint64(i)))
	changes := make([]change, 1+r.IntN(12))
	for j := range changes {
		changes[j].key = "key-" + strconv.Itoa(r.IntN(400))
		if r.IntN(4) > 0 {
			changes[j].value = fmt.Appendf(nil, "batch %d change %d %s", i, j, strings.Repeat("x", r.IntN(900)))
		}
	}
	return changes
}

// TestAKilledProcessLeavesWholeBatches kills a process that applies numbered
// batches to all partitions, again and again on the same directory.
func TestAKilledProcessLeavesWholeBatches(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		applyUntilKilled(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	model := map[int32]contents{}
	for n := range pebbleOrigin.Partitions {
		model[n] = noRows
	}
	moved := 0
	for round := range 12 {
		killAfter(t, dir, 1+rand.N(60), rand.N(20*time.Millisecond))
		p, err := store.OpenPebble(dir, pebbleOrigin, small(nil))
		if err != nil {
			t.Fatalf("after kill %d: %v", round, err)
		}
		for n := range pebbleOrigin.Partitions {
			got, want := readPart(t, partOf(t, p, n)), model[n]
			for i := want.offset + 1; i <= got.offset; i++ {
				want = want.with(i, numbered(n, i))
				moved++
			}
			if !got.equal(want) {
				t.Fatalf("after kill %d partition %d has %d rows at offset %d, want those of the batches up to %d", round, n, len(got.rows), got.offset, want.offset)
			}
			model[n] = want
		}
		noError(t, p.Close())
	}
	t.Logf("%d batches came through", moved)
	if moved == 0 {
		t.Error("no batch came through, want those that were flushed")
	}
}

// killAfter starts a process that applies batches, and kills it when it has
// said lines times that it goes on, and a little later.
func killAfter(t *testing.T, dir string, lines int, later time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAKilledProcessLeavesWholeBatches$")
	c.Env = append(os.Environ(), killedDir+"="+dir)
	out, err := c.StdoutPipe()
	noError(t, err)
	noError(t, c.Start())
	said := bufio.NewReader(out)
	for range lines {
		if line, err := said.ReadString('\n'); err != nil || line != "on\n" {
			rest, _ := io.ReadAll(said)
			t.Fatalf("process said %q and %q (%v), want it to go on", line, rest, err)
		}
	}
	<-time.After(later)
	noError(t, c.Process.Kill())
	if err := c.Wait(); err == nil {
		t.Fatal("process has ended well, want it killed")
	}
}

func applyUntilKilled(t *testing.T, dir string) {
	p, err := store.OpenPebble(dir, pebbleOrigin, small(nil))
	noError(t, err)
	for {
		for range 10 {
			for n := range pebbleOrigin.Partitions {
				part := partOf(t, p, n)
				last, err := part.GetOffset(-1)
				noError(t, err)
				noError(t, part.Apply(last+1, edits(numbered(n, last+1))))
			}
		}
		fmt.Println("on")
	}
}
