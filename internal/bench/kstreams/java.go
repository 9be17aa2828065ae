package kstreams

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// oldest is the release of Java that the pom compiles for, and wanted what to
// say where there is none such.
const (
	oldest = 17
	wanted = "a JDK of 17 or newer in PATH"
)

// memory is the limit of the heap: what the bench's machine has room for, with
// a broker beside.
const memory = "-Xmx1g"

// command runs what was built in dir. Warnings go to the child's last words.
func command(dir string) []string {
	path := filepath.Join(dir, classes) + string(os.PathListSeparator) + filepath.Join(dir, libs, "*")
	return []string{"java", memory, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, "billstream.bench.Main"}
}

// toRun finds out whether there is a Java that can run the twin.
func toRun(ctx context.Context) error {
	java, err := javaVersion(ctx)
	if err != nil {
		return err
	}
	if n := release(java); n < oldest {
		return fmt.Errorf("java in PATH is %s, want %s", java, wanted)
	}
	return nil
}

// toBuild finds out whether there is what builds the twin.
func toBuild() error {
	if _, err := exec.LookPath("javac"); err != nil {
		return fmt.Errorf("javac is missing, want %s", wanted)
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return errors.New("mvn is missing, want Maven 3 in PATH")
	}
	return nil
}

var (
	saysVersion = regexp.MustCompile(`(?m)^.* version "(\d+).*$`)
	pomVersion  = regexp.MustCompile(`<kafka\.version>(.+)</kafka\.version>`)
)

// javaVersion is the line in which java names itself and its version. Releases
// before 9 know -version alone.
func javaVersion(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", fmt.Errorf("java is missing, want %s", wanted)
	}
	out, err := exec.CommandContext(ctx, "java", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w: %s", err, last(out))
	}
	line := saysVersion.Find(out)
	if line == nil {
		return "", fmt.Errorf("version of java is %q, want %s", last(out), wanted)
	}
	return string(line), nil
}

// release is the number of the release in a line of javaVersion's: 1 for those
// before 9.
func release(line string) int {
	found := saysVersion.FindStringSubmatch(line)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return n
}

// Versions returns the version of Kafka Streams that the twin is built with, and
// what the JVM in PATH calls itself, such as `openjdk version "17.0.15"
// 2025-04-15`. It builds nothing.
func Versions(ctx context.Context) (streams, java string, err error) {
	pom, err := sources.ReadFile("pom.xml")
	if err != nil {
		return "", "", err
	}
	found := pomVersion.FindSubmatch(pom)
	if found == nil {
		return "", "", errors.New("version of Kafka is missing in the twin's pom, want a property kafka.version")
	}
	java, err = javaVersion(ctx)
	return string(found[1]), java, err
}
