package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child: the broker or an arm.
type process struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	words *tail
	first hello
	began time.Time // before the process was there
}

// stopWait is how long a child may take to end.
const stopWait = 20 * time.Second

// start starts a child and returns once it listens. The end of ctx kills it.
func start(ctx context.Context, command []string, s spec) (*process, error) {
	name := string(s.Way)
	if name == "" {
		name = "broker"
	}
	p := &process{name: name, words: new(tail)}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.cmd.Stderr = p.words
	p.cmd.WaitDelay = stopWait
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := json.NewEncoder(p.in).Encode(s); err != nil {
		return nil, p.gone(err)
	}
	if err := p.answer(&p.first); err != nil {
		return nil, err
	}
	return p, nil
}

// answer reads the next line of the child.
func (p *process) answer(v any) error {
	if !p.out.Scan() {
		return p.gone(p.out.Err())
	}
	return json.Unmarshal(p.out.Bytes(), v)
}

// gone says that the child has left, in its own last words: all of them are
// there once it has ended.
func (p *process) gone(err error) error {
	p.kill()
	return errors.Join(fmt.Errorf("%s does not answer, its last words are %q", p.name, p.words.String()), err)
}

// sample asks what the child has used.
func (p *process) sample() (sample, error) {
	if _, err := io.WriteString(p.in, ask+"\n"); err != nil {
		return sample{}, p.gone(err)
	}
	var s sample
	return s, p.answer(&s)
}

// stop ends the child and returns the CPU time of its whole life.
func (p *process) stop() (time.Duration, error) {
	err := p.in.Close()
	late := time.AfterFunc(stopWait, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	for p.out.Scan() {
		// Wait must come after the last read.
	}
	if err := errors.Join(err, p.cmd.Wait()); err != nil {
		return 0, p.gone(err)
	}
	used, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, fmt.Errorf("usage of %s is unknown, want its CPU time", p.name)
	}
	return cpuOf(used), nil
}

// kill ends the child after an error, if it has not ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// tail keeps the end of what a child says.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailBytes = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	t.kept = t.kept[max(0, len(t.kept)-tailBytes):]
	return len(b), nil
}

// String implements fmt.Stringer.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
