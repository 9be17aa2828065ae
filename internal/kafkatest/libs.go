package kafkatest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

//go:embed pom.xml
var pom []byte

// Version is the release that the pom names.
const Version = "4.3.1"

// Libs returns the class path of Apache Kafka: KAFKA_HOME's, or one that Maven
// fills. Several processes may ask at once.
func Libs(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("java is missing, want a JDK of 17 or newer in PATH")
	}
	if home := os.Getenv("KAFKA_HOME"); home != "" {
		dir := filepath.Join(home, "libs")
		if found, err := filepath.Glob(filepath.Join(dir, "kafka_*.jar")); err != nil || len(found) == 0 {
			return "", fmt.Errorf("KAFKA_HOME is %s, want a directory with libs/kafka_*.jar", home)
		}
		return filepath.Join(dir, "*"), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache for the jars: %w", err)
	}
	// Another pom is another directory: an old one may be in use.
	dir := filepath.Join(cache, "billstream", fmt.Sprintf("kafka-%s-%x", Version, sha256.Sum256(pom))[:len("kafka-"+Version)+9])
	return filepath.Join(dir, "libs", "*"), fill(ctx, dir)
}

// fill has Maven bring the jars, unless they are all there.
func fill(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if err := lock.Lock(); err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("mvn is missing, want Maven 3 in PATH, or KAFKA_HOME set to an installed Apache Kafka")
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o600); err != nil {
		return err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "libs"))
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch the jars of Apache Kafka %s: %w: %s", Version, err, last(out))
	}
	return os.WriteFile(done, nil, 0o600)
}

// last is the end of what a tool has said.
func last(out []byte) string {
	const most = 2 << 10
	return strings.TrimSpace(string(out[max(0, len(out)-most):]))
}
