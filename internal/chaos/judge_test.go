//go:build chaos || apache

package chaos_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"billstream/internal/verify"
)

// finish heals, drains, stops everything and adds a line to the table. The
// judgement must be good.
func (l *lab) finish(name string, most time.Duration) {
	l.t.Helper()
	drain := l.drained(most)
	l.stopWorkers()
	r := l.judge("--stores", l.left())
	l.report(name, r, drain)
	l.believed()
	if r.Exit() != verify.ExitGood {
		l.t.Errorf("checker says %d: %v %v", r.Exit(), r.Problems, r.Anomalies)
	}
	if r.Counts["customer.events"] != int64(l.sent) {
		l.t.Errorf("checker has read %d events, want the %d that were sent", r.Counts["customer.events"], l.sent)
	}
}

// believed wants no worker to have found its state damaged: none of the faults
// may leave it so.
func (l *lab) believed() {
	l.t.Helper()
	for _, w := range l.workers {
		for _, refused := range []string{"snapshot is not used", "state on disk is not used"} {
			if n := w.said(refused); n > 0 {
				l.t.Errorf("%s has said %d times that %s, want never", w.name, n, refused)
			}
		}
	}
}

// stopWorkers ends everything but the broker cleanly.
func (l *lab) stopWorkers() {
	l.t.Helper()
	l.mu.Lock()
	workers := l.workers
	l.mu.Unlock()
	for _, w := range workers {
		if w.name != "broker" && !w.dead() {
			w.stop()
		}
	}
}

// left are the data directories of the workers in which there is state, with
// commas. One that was killed early has none, or a database without a row.
func (l *lab) left() string {
	l.t.Helper()
	clean := map[string]bool{}
	for _, w := range l.workers {
		clean[w.name] = w.dead() && w.err == nil
	}
	var dirs []string
	for name, ended := range clean {
		dir := filepath.Join(l.dir, name)
		files, err := filepath.Glob(filepath.Join(dir, "state", "*.snapshot"))
		if err != nil {
			l.t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(dir, "state", "pebble"))
		if len(files) > 0 || err == nil && ended {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		l.t.Fatal("no worker has left any state, want that of one at least")
	}
	return strings.Join(dirs, ",")
}

// judge lets the program's own verb look at everything in the topics, and at
// what further flags say.
func (l *lab) judge(flags ...string) *verify.Report {
	l.t.Helper()
	w := l.child("verify", nil, append([]string{
		"verify", "--brokers", l.addr, "--guarantee", l.guarantee, "--history", l.historyFile(), "--output", "json",
	}, flags...)...)
	select {
	case <-w.ended:
	case <-time.After(3 * time.Minute):
		w.kill()
		l.t.Fatal("checker has not ended within 3 minutes")
	}
	for _, line := range w.lines {
		r := &verify.Report{}
		if json.Unmarshal([]byte(line), r) != nil || r.Mode == "" {
			continue
		}
		if w.exitCode() != r.Exit() {
			l.t.Errorf("checker ended with code %d, want %d as its report says", w.exitCode(), r.Exit())
		}
		return r
	}
	l.t.Fatalf("checker ended with code %d and no report: %s", w.exitCode(), strings.Join(w.lines, "\n"))
	return nil
}

// report adds a line to the table.
func (l *lab) report(name string, r *verify.Report, drain time.Duration) {
	result := "ok"
	if r.Exit() != verify.ExitGood {
		result = fmt.Sprintf("exit %d", r.Exit())
	}
	l.row(name, r, drain, result)
}

// row puts what the checker has found beside a result.
func (l *lab) row(name string, r *verify.Report, drain time.Duration, result string) {
	n := func(classes ...verify.Class) (sum int64) {
		for _, c := range classes {
			sum += r.Classes[c]
		}
		return sum
	}
	table.add("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1fs\t%s", strings.TrimPrefix(name, "Test"), l.faults, r.Counts["customer.events"],
		n(verify.Lost, verify.LostRow, verify.LetterMissing), n(verify.Duplicate), n(verify.Reordered),
		n(verify.WrongValue, verify.WrongPartition, verify.Foreign, verify.ResurrectedRow, verify.LetterWrong, verify.DeadLetterApplied, verify.StaleView, verify.StaleStore),
		n(verify.AbortedRead), r.Counts["repeats"], r.Counts["stores"], drain.Seconds(), result)
}
