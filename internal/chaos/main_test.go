//go:build chaos || apache

package chaos_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// What a run of the suite has in common. They are set once, before the tests.
var (
	binary    string        // the program, with its failpoints
	artefacts string        // logs of what failed stay here
	passed    string        // file with the names of the failpoints that were passed
	seed      uint64        // of every schedule
	budget    time.Duration // 0: the short run
	table     results

	closing []func() error // what the tests share, to be closed at the end
)

// results is the table that is printed at the end.
type results struct {
	mu    sync.Mutex
	lines []string
}

func (r *results) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	err := configure()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("SEED=%d BUDGET=%v\n", seed, budget)
	if artefacts, err = os.MkdirTemp("", "billstream-chaos-"); err != nil {
		fmt.Println(err)
		return 1
	}
	binary, passed = filepath.Join(artefacts, "billstream"), filepath.Join(artefacts, "passed")
	build := exec.Command("go", "build", "-tags", "failpoint", "-o", binary, "billstream/cmd/billstream")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build the program: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	for _, c := range closing {
		if err := c(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tFAULTS\tEVENTS\tLOST\tDOUBLED\tREORDERED\tWRONG\tDIRTY\tREPEATS\tSTORES\tDRAIN\tRESULT")
	for _, l := range table.lines {
		fmt.Fprintln(w, l)
	}
	w.Flush()
	fmt.Printf("SEED=%d\n", seed)
	if code == 0 {
		os.RemoveAll(artefacts)
	}
	return code
}

// configure reads the seed and the budget. One that was given and cannot be read
// is an error: the run would not be the one that was asked for.
func configure() (err error) {
	seed = uint64(time.Now().UnixNano() % 1e9)
	if s := os.Getenv("SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			return fmt.Errorf("SEED is %q, want a whole number", s)
		}
	}
	if b := os.Getenv("BUDGET"); b != "" {
		if budget, err = time.ParseDuration(b); err != nil || budget < 0 {
			return fmt.Errorf("BUDGET is %q, want a time such as 8h", b)
		}
	}
	return nil
}

// scaled is n in the short run, and more when there is a budget.
func scaled(n int) int {
	if budget == 0 {
		return n
	}
	return int(float64(n) * max(1, budget.Minutes()/10))
}
