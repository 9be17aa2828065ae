//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// armed is read once: the points of a process do not change.
var armed = sync.OnceValue(func() *points {
	p := &points{passes: map[string]int{}, delays: map[string]time.Duration{}}
	p.kill, p.killAt = split(os.Getenv("BILLSTREAM_FAILPOINT"))
	p.panics, p.panicAt = split(os.Getenv("BILLSTREAM_PANIC"))
	for _, d := range strings.Split(os.Getenv("BILLSTREAM_DELAY"), ",") {
		name, ms := split(d)
		p.delays[name] = time.Duration(ms) * time.Millisecond
	}
	p.log = os.Getenv("BILLSTREAM_FAILPOINT_LOG")
	p.control = os.Getenv("BILLSTREAM_CONTROL")
	return p
})

type points struct {
	kill, panics    string
	killAt, panicAt int
	delays          map[string]time.Duration
	control, log    string

	mu     sync.Mutex
	passes map[string]int
}

// split takes name:n apart; n is 1 where it is not said.
func split(s string) (name string, n int) {
	name, number, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(number)
	if err != nil {
		n = 1
	}
	return name, n
}

// Hit marks a place.
func Hit(name string) {
	p := armed()
	n := p.pass(name)
	if d := p.delays[name]; d > 0 {
		time.Sleep(d)
	}
	switch {
	case p.kill == name && n == p.killAt:
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // the signal takes a moment; nothing may happen meanwhile
	case p.panics == name && n == p.panicAt:
		panic(fmt.Sprintf("failpoint %s", name))
	}
}

// pass counts a pass and notes the first.
func (p *points) pass(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passes[name]++
	if n := p.passes[name]; n > 1 || p.log == "" {
		return n
	}
	f, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, name)
	return 1
}

// Control reports whether the named defect is wanted.
func Control(name string) bool { return armed().control == name }
