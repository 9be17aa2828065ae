package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// tally counts good answers.
type tally struct {
	done  atomic.Int64
	bytes atomic.Int64 // of one body
}

// caller is a connection that is kept, with as little around it as will do: it
// runs beside the server that is measured.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

// callLimit is how long an answer may take.
const callLimit = 20 * time.Second

func dial(ctx context.Context, addr string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to a server of lookups: %w", err)
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

var errAnswer = errors.New("answer is not understood, want one of HTTP/1.1 with a length")

// call sends one request and reads its answer, which must be a good one.
func (c *caller) call(request []byte, t *tally) error {
	if err := c.conn.SetDeadline(time.Now().Add(callLimit)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("%w: answer is %.40q, want status 200", ErrWrong, line)
	}
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		if len(line) <= len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return errAnswer
			}
		}
	}
	if length <= 0 {
		return errAnswer
	}
	if _, err := c.in.Discard(length); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	t.done.Add(1)
	t.bytes.Store(int64(length))
	return nil
}
