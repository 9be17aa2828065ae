package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// productLimit is how long the program may take until it is ready, and until it
// has ended with all its snapshots written.
const productLimit = 5 * time.Minute

// product is the whole program at work, a process of its own.
type product struct {
	cmd   *exec.Cmd
	words *tail
	data  string        // address of lookups
	ready time.Duration // from the start of the process until it said so
	ended chan struct{}
	err   error // of its end; to be read once ended is closed
}

// productSpec says how to run it.
type productSpec struct {
	brokers    []string
	dir        string // for its files
	partitions int32
	guarantee  string
	save       time.Duration // between two savings of the state; 0: as the program does it
}

// readyLine is what run says once it is ready.
var readyLine = regexp.MustCompile(`ready: .*lookups on (?:http://)?([^/\s,]+), admin on `)

// startProduct starts the program and returns once it is ready.
func (b *bench) startProduct(ctx context.Context, s productSpec) (*product, error) {
	if len(b.o.Program) == 0 {
		return nil, errors.New("command of the program is missing, want one to measure")
	}
	command := append(append([]string(nil), b.o.Program...), "run",
		"--brokers", strings.Join(s.brokers, ","), "--data-dir", s.dir, "--guarantee", s.guarantee,
		"--partitions", strconv.Itoa(int(s.partitions)), "--replication", strconv.Itoa(replication),
		"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-timeout", productLimit.String())
	if s.save > 0 {
		command = append(command, "--snapshot-interval", s.save.String())
	}
	command = b.pins.command(command)
	p := &product{cmd: exec.CommandContext(ctx, command[0], command[1:]...), words: new(tail), ended: make(chan struct{})}
	p.cmd.WaitDelay = stopWait
	p.cmd.Env = plainEnvironment(os.Environ())
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the program: %w", err)
	}
	said := make(chan string, 1)
	go func() {
		defer close(p.ended)
		p.listen(out, said)
		p.err = p.cmd.Wait() // after the last read
	}()
	select {
	case p.data = <-said:
		p.ready = time.Since(began)
		return p, nil
	case <-p.ended:
		return nil, errors.Join(fmt.Errorf("program is not ready, its last words are %q", p.words.String()), p.err)
	case <-time.After(productLimit):
		p.kill()
		return nil, fmt.Errorf("program is not ready after %v, its last words are %q", productLimit, p.words.String())
	}
}

// plainEnvironment leaves out what would configure the program.
func plainEnvironment(all []string) []string {
	var kept []string
	for _, v := range all {
		if !strings.HasPrefix(v, "BILLSTREAM_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// listen reads what the program says, and passes the address of lookups on.
func (p *product) listen(out io.Reader, said chan<- string) {
	lines := bufio.NewScanner(out)
	told := false
	for lines.Scan() {
		_, _ = p.words.Write(append(lines.Bytes(), '\n'))
		if m := readyLine.FindStringSubmatch(lines.Text()); m != nil && !told {
			said <- m[1]
			told = true
		}
	}
}

// stop asks the program to end, which it must do cleanly.
func (p *product) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the program: %w", err)
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("program ended badly, its last words are %q: %w", p.words.String(), p.err)
		}
		return nil
	case <-time.After(productLimit):
		p.kill()
		return fmt.Errorf("program has not ended after %v, want a clean stop", productLimit)
	}
}

// kill ends the program after an error.
func (p *product) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// cpu is what the program has used so far.
func (p *product) cpu() (time.Duration, error) { return processTime(p.cmd.Process.Pid) }

// resident is the memory that the program takes now.
func (p *product) resident() (int64, error) {
	n := memoryOf(strconv.Itoa(p.cmd.Process.Pid), "VmRSS:")
	if n == 0 {
		return 0, errors.New("memory of the program is unknown, want /proc")
	}
	return n, nil
}
