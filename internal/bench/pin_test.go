package bench

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestBrokerAndArmGetAProcessorEach(t *testing.T) {
	before, cores, err := allowed()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pin(t.Context())
	if len(cores) < 2 {
		if want := "processors are 1, want 2 to pin the broker and the arms to"; err == nil || err.Error() != want {
			t.Errorf("error on one processor is %v, want %q", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.undo(t.Context()); err != nil {
			t.Error(err)
		}
	})
	look := []string{"grep", "Cpus_allowed_list", "/proc/self/status"}
	for _, c := range []struct {
		who     string
		command []string
		core    int
	}{{"a child such as the broker", look, cores[0]}, {"an arm", p.command(look), cores[1]}} {
		out, err := exec.Command(c.command[0], c.command[1:]...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(string(out)); got[1] != strconv.Itoa(c.core) {
			t.Errorf("processors of %s are %s, want %d", c.who, got[1], c.core)
		}
	}
	if err := p.undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, _, err := allowed(); err != nil || after != before {
		t.Errorf("processors afterwards are %s and %v, want %s", after, err, before)
	}
}

func TestNobodyIsPinnedUnasked(t *testing.T) {
	if got := (pins{}).command([]string{"x"}); len(got) != 1 {
		t.Errorf("command is %q, want it as it was", got)
	}
}

func TestTheTimeOfAProcessIsItsUserAndSystemTime(t *testing.T) {
	work := exec.Command("sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read x")
	in, err := work.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := work.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := work.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	got, err := processTime(work.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	_ = work.Wait() // read has met the end
	want := cpuOf(work.ProcessState.SysUsage().(*syscall.Rusage))
	if got <= 0 || (got-want).Abs() > 5*clockTick {
		t.Errorf("time of a process at work is %v, want about %v", got, want)
	}
	if _, err := processTime(0); err == nil || !bytes.Contains([]byte(err.Error()), []byte("look at process 0: ")) {
		t.Errorf("error about no process is %v, want it named", err)
	}
}
