//go:build chaos || apache

package chaos_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"
)

// signals are the faults that a history names.
var signals = map[syscall.Signal]string{
	syscall.SIGKILL: "killed", syscall.SIGSTOP: "paused", syscall.SIGCONT: "healed", syscall.SIGTERM: "stopped",
}

// schedule is the source of a lab's choices: the same seed and name, the same
// choices.
func schedule(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// historyFile is where the checker reads what was acknowledged.
func (l *lab) historyFile() string { return filepath.Join(l.dir, "history.jsonl") }

// note adds a line to the history.
func (l *lab) note(format string, args ...any) {
	l.historyMu.Lock()
	defer l.historyMu.Unlock()
	if _, err := fmt.Fprintf(l.history, format+"\n", args...); err != nil {
		l.t.Errorf("write the history: %v", err)
	}
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }
