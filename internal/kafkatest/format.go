package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// id is a Kafka uuid: 16 random bytes. One that begins with a hyphen would be
// taken for a flag.
func id() string {
	for {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails
		if text := base64.RawURLEncoding.EncodeToString(b); text[0] != '-' {
			return text
		}
	}
}

// format makes the data directories of all brokers. The tool runs for the first
// one alone: the others differ in two lines, and each run costs a second.
func (c *Cluster) format(ctx context.Context) error {
	first := c.brokers[0]
	args := []string{"-cp", c.libs, "kafka.tools.StorageTool", "format", "-t", c.ID, "-c", first.properties()}
	for _, f := range slices.Sorted(maps.Keys(c.o.Features)) {
		args = append(args, "--feature", f+"="+c.o.Features[f])
	}
	if out, err := exec.CommandContext(ctx, "java", append(quick(), args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the directory of a broker: %w: %s", err, last(out))
	}
	for _, b := range c.brokers[1:] {
		if err := os.CopyFS(b.data(), os.DirFS(first.data())); err != nil {
			return err
		}
		name := filepath.Join(b.data(), "meta.properties")
		meta, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		lines := strings.Split(string(meta), "\n")
		for i, l := range lines {
			switch {
			case strings.HasPrefix(l, "node.id="):
				lines[i] = fmt.Sprintf("node.id=%d", b.node.id)
			case strings.HasPrefix(l, "directory.id="):
				lines[i] = "directory.id=" + id()
			}
		}
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// quick are arguments for a Java that lives for a second.
func quick() []string {
	return []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"}
}
