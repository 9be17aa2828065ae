package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"billstream/internal/kafkatest"
)

// Brokers that a run can start by itself.
const (
	Embedded = "embedded" // the one for development, a process of its own
	Apache   = "apache"   // Apache Kafka, as kafkatest runs it
)

// broker is what the arms work against.
type broker struct {
	addrs []string
	where string // for the report
	usage func() (time.Duration, error)
	end   func() error
}

// startBroker starts what the options say, with its files in dir. Foreign
// brokers are only named: nothing is known of their CPU time.
func startBroker(ctx context.Context, o Options, dir string) (*broker, error) {
	switch {
	case len(o.Brokers) > 0:
		return &broker{
			addrs: o.Brokers, where: strings.Join(o.Brokers, ","),
			usage: func() (time.Duration, error) { return 0, nil }, end: func() error { return nil },
		}, nil
	case o.Broker == Apache:
		o.Progress("starting Apache Kafka")
		return startApache(ctx, dir)
	}
	p, err := start(ctx, o.Exe, spec{Dir: dir})
	if err != nil {
		return nil, err
	}
	return &broker{
		addrs: []string{p.first.Addr},
		where: "embedded, a process of its own, files in " + filepath.Dir(dir),
		usage: func() (time.Duration, error) {
			s, err := p.sample()
			return s.CPU, err
		},
		end: func() error {
			p.kill() // its data is ours, and goes too
			return nil
		},
	}, nil
}

func startApache(ctx context.Context, dir string) (*broker, error) {
	c, err := kafkatest.Start(ctx, kafkatest.Options{Brokers: 1, Dir: filepath.Join(dir, "kafka")})
	if err != nil {
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return &broker{
		addrs: c.Addrs(),
		where: fmt.Sprintf("Apache Kafka %s, one broker, a process of its own, files in %s", kafkatest.Version, filepath.Dir(dir)),
		usage: func() (time.Duration, error) { return processTime(c.Broker(1).PID()) },
		end:   c.Close,
	}, nil
}

// clockTick is what /proc counts CPU time in, on every Linux that Go runs on.
const clockTick = time.Second / 100

// processTime is the CPU time of all threads of a process so far.
func processTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name, in parentheses, may hold anything. Behind it, user and system
	// time are the fields 12 and 13 (proc(5), where they are 14 and 15).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("fields of a process are %d, want 13 or more", len(fields))
	}
	user, err1 := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// brokerHome is where a broker keeps what the arms write.
func brokerHome(o Options) string {
	// An event is one record of the input, and of every run a row and an update.
	return roomFor(uint64(o.Events)<<10*2 + 1<<30)
}

// roomFor is where files of so many bytes go: in memory where there is room,
// else in the usual place. The embedded broker waits for the disk at every
// write, which Kafka does not, and the disk is not what is compared.
func roomFor(need uint64) string {
	const memory = "/dev/shm"
	var room syscall.Statfs_t
	if syscall.Statfs(memory, &room) != nil || room.Bavail*uint64(room.Bsize) < need {
		return ""
	}
	return memory
}
