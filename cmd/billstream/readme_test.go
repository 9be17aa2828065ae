package main_test

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command is a line of a console block and the output that should follow.
type command struct{ line, want string }

// consoleCommands returns the commands of the console blocks of a document.
func consoleCommands(t *testing.T, file string) []command {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []command
	console := false
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "```"):
			console = line == "```console"
		case console && strings.HasPrefix(line, "$ "):
			all = append(all, command{line: line[2:]})
		case console:
			all[len(all)-1].want += line + "\n"
		}
	}
	return all
}

// matches compares output with what a document says; an ellipsis stands for
// what varies.
func matches(got, want string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", "(?s:.*?)")
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}

// The README's commands say what the README says, against the demo that
// `make run` starts. Only the addresses differ, so that the test does not need
// the default ports.
func TestReadmeCommandsSayWhatTheReadmeSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin", "billstream")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	data, admin, broker := freeAddress(t), freeAddress(t), freeAddress(t)
	startDemo(t, dir, bin, "--listen", data, "--admin-listen", admin, "--embedded-listen", broker)
	commands := consoleCommands(t, "../../README.md")
	if len(commands) < 5 {
		t.Fatalf("commands in the README are %d, want at least 5", len(commands))
	}
	for _, c := range commands {
		line := strings.ReplaceAll(c.line, "127.0.0.1:8081", admin)
		sh := exec.Command("sh", "-c", line)
		sh.Dir = dir
		sh.Env = append(os.Environ(), "BILLSTREAM_SERVER=http://"+data, "BILLSTREAM_ADMIN=http://"+admin, "BILLSTREAM_BROKERS="+broker)
		out, err := sh.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if !matches(string(out), c.want) {
			t.Errorf("%s\nsays\n%s\nwant\n%s", c.line, out, c.want)
		}
	}
}

// startDemo runs the demo until the test ends and waits for its replay.
func startDemo(t *testing.T, dir, bin string, args ...string) {
	t.Helper()
	demo := exec.Command(bin, append([]string{"demo"}, args...)...)
	demo.Dir = dir
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		demo.Process.Signal(syscall.SIGTERM)
		if err := demo.Wait(); err != nil {
			t.Errorf("demo ended with %v, want exit code 0", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	context.AfterFunc(ctx, func() { out.Close() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "dashboards/overview.json") {
			return
		}
	}
	t.Fatal("demo has not said what to try, want it after the replay")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
