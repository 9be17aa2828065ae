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
	"strings"
)

//go:embed pom.xml src/main/java
var sources embed.FS

// What a build leaves, as the pom says.
const (
	classes = "target/classes"
	libs    = "target/libs"
)

// build returns a directory of cache in which the sources are built.
func build(ctx context.Context, cache string, progress func(string)) (string, error) {
	if cache == "" {
		own, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a cache for the Kafka Streams twin: %w", err)
		}
		cache = filepath.Join(own, "billstream")
	}
	sum, err := hash()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kstreams-"+sum)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := toBuild(); err != nil {
		return "", err
	}
	if progress != nil {
		progress("building the Kafka Streams twin")
	}
	if err := buildAs(ctx, cache, dir); err != nil {
		return "", fmt.Errorf("build the Kafka Streams twin: %w", err)
	}
	return dir, nil
}

// buildAs builds aside, in cache, and renames to dir: whoever finds dir finds
// all of it.
func buildAs(ctx context.Context, cache, dir string) (err error) {
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(cache, "kstreams-building-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	if err := maven(ctx, aside); err != nil {
		return err
	}
	if err := os.Rename(aside, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil {
			return err
		}
		// Another process was faster, with the same sources.
	}
	return nil
}

// maven builds a copy of the sources in dir.
func maven(ctx context.Context, dir string) error {
	if err := os.CopyFS(dir, sources); err != nil {
		return err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "compile")
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, last(out))
	}
	return nil
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

// last is the end of what a tool has said.
func last(out []byte) string {
	const most = 2 << 10
	return strings.TrimSpace(string(out[max(0, len(out)-most):]))
}
