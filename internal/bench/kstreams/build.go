package kstreams

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed pom.xml src/main/java
var sources embed.FS

// What a build leaves, as the pom says.
const (
	classes = "target/classes"
	libs    = "target/libs"
)

// memory is the limit of the heap, as those give it who run Kafka Streams on
// machines as small as the bench's.
const memory = "-Xmx1g"

// command runs what was built in dir. Warnings go to the child's last words.
func command(dir string) []string {
	path := filepath.Join(dir, classes) + string(os.PathListSeparator) + filepath.Join(dir, libs, "*")
	return []string{"java", memory, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, "billstream.bench.Main"}
}

// build returns a directory of cache in which the sources are built.
func build(ctx context.Context, cache string, progress func(string)) (dir string, err error) {
	if err := tools(ctx); err != nil {
		return "", err
	}
	if cache == "" {
		own, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a cache for the twin: %w", err)
		}
		cache = filepath.Join(own, "billstream")
	}
	sum, err := hash()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, "kstreams-"+sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if progress != nil {
		progress("building the Kafka Streams twin")
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", err
	}
	// Built aside and renamed: whoever finds dir finds all of it.
	aside, err := os.MkdirTemp(cache, "kstreams-building-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	if err := maven(ctx, aside); err != nil {
		return "", err
	}
	if err := os.Rename(aside, dir); err != nil {
		if _, other := os.Stat(dir); other == nil {
			return dir, nil // another process was faster
		}
		return "", err
	}
	return dir, nil
}

// hash tells sources apart.
func hash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := sources.ReadFile(name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), err
}

// maven builds a copy of the sources in dir.
func maven(ctx context.Context, dir string) error {
	if err := os.CopyFS(dir, sources); err != nil {
		return fmt.Errorf("copy the twin's sources: %w", err)
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "compile")
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("build the Kafka Streams twin: %w: %s", err, last(out))
	}
	return nil
}

// last is the end of what a tool has said.
func last(out []byte) string {
	const most = 2 << 10
	return strings.TrimSpace(string(out[max(0, len(out)-most):]))
}

// oldest is the release of Java that the pom compiles for.
const oldest = 17

// tools finds out whether what builds and runs the twin is there.
func tools(ctx context.Context) error {
	for _, name := range []string{"java", "javac"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is missing, want a JDK of %d or newer in PATH", name, oldest)
		}
	}
	java, err := javaVersion(ctx)
	if err != nil {
		return err
	}
	if release(java) < oldest {
		return fmt.Errorf("java is %q, want a JDK of %d or newer in PATH", java, oldest)
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("mvn is missing, want Maven 3 in PATH")
	}
	return nil
}

// release is the number of the Java release in a line such as
// "openjdk 17.0.15 2025-04-15", 0 if there is none.
func release(line string) int {
	n, err := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(line))
	if err != nil {
		return 0
	}
	return n
}

// javaVersion is the first line that java says of itself.
func javaVersion(ctx context.Context) (string, error) {
	// Before release 9 there was only -version, which writes to standard error.
	out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w: %s", err, last(out))
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}

// Versions returns the version of Kafka Streams that the twin is built with, and
// the first line that the JVM says of itself. It builds nothing.
func Versions(ctx context.Context) (streams, java string, err error) {
	pom, err := sources.ReadFile("pom.xml")
	if err != nil {
		return "", "", err
	}
	found := regexp.MustCompile(`<kafka.version>(.+)</kafka.version>`).FindSubmatch(pom)
	if found == nil {
		return "", "", errors.New("version of Kafka is missing in the twin's pom, want one as kafka.version")
	}
	if _, err := exec.LookPath("java"); err != nil {
		return "", "", fmt.Errorf("java is missing, want a JDK of %d or newer in PATH", oldest)
	}
	java, err = javaVersion(ctx)
	return string(found[1]), java, err
}
