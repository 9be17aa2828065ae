package kstreams_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"billstream/internal/bench/kstreams"
)

// tools makes a PATH with nothing but scripts, by name.
func tools(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

// named says what a JVM says.
func named(line string) string { return "echo '" + line + "' >&2\n" }

const java21 = `openjdk version "21.0.2" 2024-01-16`

func TestWhatIsMissingIsNamed(t *testing.T) {
	for _, c := range []struct {
		scripts map[string]string
		want    string
	}{
		{nil, "java is missing, want a JDK of 17 or newer in PATH"},
		{
			map[string]string{"java": named(`java version "1.8.0_392"`)},
			`java in PATH is java version "1.8.0_392", want a JDK of 17 or newer in PATH`,
		},
		{
			map[string]string{"java": named(`openjdk version "11.0.2" 2019-01-15`)},
			`java in PATH is openjdk version "11.0.2" 2019-01-15, want a JDK of 17 or newer in PATH`,
		},
		{map[string]string{"java": named("gij")}, `version of java is "gij", want a JDK of 17 or newer in PATH`},
		{map[string]string{"java": named(java21)}, "javac is missing, want a JDK of 17 or newer in PATH"},
		{map[string]string{"java": named(java21), "javac": ""}, "mvn is missing, want Maven 3 in PATH"},
	} {
		tools(t, c.scripts)
		_, err := kstreams.Command(t.Context(), t.TempDir(), nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
}

func TestTheTwinIsBuiltOnceAndWhole(t *testing.T) {
	count := filepath.Join(t.TempDir(), "built")
	tools(t, map[string]string{
		"java": "echo Picked up something >&2\n" + named(java21), "javac": "",
		"mvn": "set -e\ntest -f pom.xml\ntest -f src/main/java/billstream/bench/Main.java\necho $* >> " + count + "\n",
	})
	cache := filepath.Join(t.TempDir(), "not", "there")
	var said []string
	progress := func(s string) { said = append(said, s) }
	first, err := kstreams.Command(t.Context(), cache, progress)
	if err != nil {
		t.Fatal(err)
	}
	second, err := kstreams.Command(t.Context(), cache, progress)
	if err != nil || !slices.Equal(first, second) {
		t.Errorf("second command is %q with error %v, want that of the first: %q", second, err, first)
	}
	built, err := os.ReadFile(count)
	if err != nil || string(built) != "-q -B compile\n" {
		t.Errorf("builds are %q with error %v, want one", built, err)
	}
	if !slices.Equal(said, []string{"building the Kafka Streams twin"}) {
		t.Errorf("progress is %q, want it told of the one build", said)
	}
	left, err := os.ReadDir(cache)
	if err != nil || len(left) != 1 || !strings.Contains(first[len(first)-2], left[0].Name()) {
		t.Errorf("cache has %v with error %v, want what the class path %q names alone", left, err, first[len(first)-2])
	}
}

func TestABuildThatGoesWrongLeavesNothing(t *testing.T) {
	tools(t, map[string]string{"java": named(java21), "javac": "", "mvn": "echo no such artifact\nexit 1\n"})
	cache := t.TempDir()
	_, err := kstreams.Command(t.Context(), cache, nil)
	if want := "build the Kafka Streams twin: exit status 1: no such artifact"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %q", err, want)
	}
	if left, err := os.ReadDir(cache); err != nil || len(left) > 0 {
		t.Errorf("cache has %v with error %v, want nothing", left, err)
	}
}

func TestVersionsAreThoseOfThePomAndOfTheJVM(t *testing.T) {
	tools(t, map[string]string{"java": "echo Picked up something >&2\n" + named(java21)})
	streams, java, err := kstreams.Versions(t.Context())
	if err != nil || streams != "4.3.1" || java != java21 {
		t.Errorf("versions are %q and %q with error %v, want 4.3.1 and %q", streams, java, err, java21)
	}
}
