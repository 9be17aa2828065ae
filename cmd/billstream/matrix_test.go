package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"billstream/internal/app"
)

// call is one way to call a verb: flags, a file and the environment.
type call struct {
	verb []string // topics plan
	args []string
	file string // the text of the file; "" for none
}

// parse parses as main does, and returns what it found.
func (c call) parse(t *testing.T) (*kong.Context, *commands, *configFile, error) {
	t.Helper()
	all := new(commands)
	k, err := parser(all, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(c.verb, c.args)
	if c.file != "" {
		path := filepath.Join(t.TempDir(), "billstream.yaml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	file, err := openConfig(configPath(args, os.LookupEnv), k.Model.Node)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := kong.Resolvers(file.resolver()).Apply(k); err != nil {
		t.Fatal(err)
	}
	parsed, err := k.Parse(args)
	return parsed, all, file, err
}

// value parses the call and returns the value of a flag and its origin.
func (c call) value(t *testing.T, flag string) (value, from string) {
	t.Helper()
	k, _, file, err := c.parse(t)
	if err != nil {
		t.Fatal(err)
	}
	f := flagOf(t, k.Selected(), flag)
	from = origin(f, k.Selected(), k, file)
	if file != nil {
		from = strings.Replace(from, file.path, "FILE", 1)
	}
	return fmt.Sprint(f.Target.Interface()), from
}

func flagOf(t *testing.T, verb *kong.Node, name string) *kong.Flag {
	t.Helper()
	i := slices.IndexFunc(verb.Flags, func(f *kong.Flag) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("%s has no flag --%s", verb.Path(), name)
	}
	return verb.Flags[i]
}

// verbs returns every verb that can be run.
func verbs(t *testing.T) []*kong.Node {
	t.Helper()
	k, err := parser(new(commands), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return k.Model.Leaves(false)
}

// samples returns two values that a flag takes, the first of them not its
// default.
func samples(t *testing.T, f *kong.Flag) [2]string {
	t.Helper()
	if f.Enum != "" {
		values := slices.DeleteFunc(f.EnumSlice(), func(v string) bool { return v == f.Default })
		if f.HasDefault && !f.IsSlice() {
			return [2]string{values[0], f.Default}
		}
		return [2]string{values[0], values[1%len(values)]}
	}
	switch f.Target.Interface().(type) {
	case bool:
		if f.Default == "true" {
			return [2]string{"false", "true"}
		}
		return [2]string{"true", "false"}
	case time.Duration:
		return [2]string{"7s", "3m0s"}
	case int, int16, int32, float64:
		return [2]string{"7", "11"}
	case count, []count:
		return [2]string{"7k", "3M"}
	case byteSize:
		return [2]string{"7KiB", "3MiB"}
	case string:
		return [2]string{"one", "two"}
	case []string:
		return [2]string{"one:1,two:2", "three:3"}
	}
	t.Fatalf("--%s is a %s, for which the test has no samples", f.Name, f.Target.Type())
	return [2]string{}
}

// inFile puts a setting under the name of its verb.
func inFile(verb []string, flag, value string) string {
	if slices.Equal(verb, []string{"run"}) {
		return fmt.Sprintf("%s: %q\n", flag, value)
	}
	text := ""
	for depth, name := range verb {
		text += strings.Repeat("  ", depth) + name + ":\n"
	}
	return text + fmt.Sprintf("%s%s: %q\n", strings.Repeat("  ", len(verb)), flag, value)
}

// arguments are what a verb needs beside flags.
func arguments(verb *kong.Node) []string {
	switch verb.Name {
	case "get", "emit":
		return []string{"x"}
	case "completion":
		return []string{"bash"}
	}
	return nil
}

// TestTheStrongerSourceWins tries every pair of sources for every flag of every
// verb: flag > environment > file > default.
func TestTheStrongerSourceWins(t *testing.T) {
	for _, verb := range verbs(t) {
		for _, f := range verb.Flags {
			if f.Name == "help" {
				continue
			}
			t.Run(verb.Path()+"/"+f.Name, func(t *testing.T) {
				for _, pair := range [][2]string{
					{"flag", "env"}, {"flag", "file"}, {"flag", "default"}, {"env", "file"}, {"env", "default"}, {"file", "default"},
				} {
					tryPair(t, verb, f, pair[0], pair[1])
				}
			})
		}
	}
}

func tryPair(t *testing.T, verb *kong.Node, f *kong.Flag, stronger, weaker string) {
	t.Run(stronger+" over "+weaker, func(t *testing.T) {
		values := samples(t, f)
		c := call{verb: verbNames(verb), args: arguments(verb)}
		from := map[string]string{}
		for i, source := range []string{stronger, weaker} {
			switch source {
			case "flag":
				c.args = append(c.args, "--"+f.Name+"="+values[i])
				from[source] = "flag"
			case "env":
				name := "BILLSTREAM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
				t.Setenv(name, values[i])
				from[source] = "$" + name
			case "file":
				c.file = inFile(c.verb, f.Name, values[i])
				from[source] = fmt.Sprintf("FILE:%d", strings.Count(c.file, "\n"))
			}
		}
		want := values[0]
		if f.IsSlice() {
			want = "[" + strings.ReplaceAll(want, ",", " ") + "]"
		}
		if got, origin := c.value(t, f.Name); got != want || origin != from[stronger] {
			t.Errorf("value is %s from %s, want %s from %s", got, origin, want, from[stronger])
		}
	})
}

func TestAFlagOfRunInTheFileCountsForTheOtherVerbs(t *testing.T) {
	for _, c := range []struct {
		name, file, want, from string
	}{
		{"top level alone", "brokers: [a:1, b:2]\n", "[a:1 b:2]", "FILE:1"},
		{"the verbs above", "brokers: a:1\ntopics:\n  brokers: c:3\n", "[c:3]", "FILE:3"},
		{"the verb itself", "brokers: a:1\ntopics:\n  brokers: c:3\n  plan:\n    brokers: d:4\n", "[d:4]", "FILE:5"},
		{"another verb", "emit:\n  brokers: c:3\n", "[127.0.0.1:9092]", "default"},
		{"an empty file", "# nothing\n", "[127.0.0.1:9092]", "default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, from := call{verb: []string{"topics", "plan"}, file: c.file}.value(t, "brokers")
			if got != c.want || from != c.from {
				t.Errorf("brokers is %s from %s, want %s from %s", got, from, c.want, c.from)
			}
		})
	}
}

func TestAFlagMeansTheSameInEveryVerb(t *testing.T) {
	help := map[string]map[string]string{}
	for _, verb := range verbs(t) {
		for _, f := range verb.Flags {
			if f.Name == "help" || f.Name == "output" { // of which config print knows more
				continue
			}
			if help[f.Name] == nil {
				help[f.Name] = map[string]string{}
			}
			help[f.Name][f.OrigHelp+" "+f.Target.Type().String()] = verb.Path()
		}
	}
	for name, texts := range help {
		if len(texts) > 1 && name != "brokers" { // none means the embedded broker for run alone
			t.Errorf("--%s means %v, want one thing", name, texts)
		}
	}
}

func TestMistakesInTheFileAreAllReportedWithTheirLine(t *testing.T) {
	_, _, _, err := call{verb: []string{"run"}, file: strings.Join([]string{
		"commit-intervall: 50ms",
		"drain-timeout: soon",
		"partitions: [1, 2]",
		"ingest: maybe",
		"emit:",
		"  on-eror: skip",
		"  rate:",
		"health: 5",
		"roles: [processor, cook]",
		"listen: a:1",
		"listen: b:2",
		"sink: {batch: 1}",
		"version: {config: x}",
	}, "\n")}.parse(t)
	if err == nil {
		t.Fatal("error is nil, want the mistakes")
	}
	if code := exitCode(err); code != exitUsage {
		t.Errorf("exit code is %d, want %d", code, exitUsage)
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "billstream.yaml:")
		got = append(got, line)
	}
	want := []string{
		`1: commit-intervall is not known, want commit-interval`,
		`2: drain-timeout is "soon", want a duration such as 100ms, 10s, 1h: expected duration but got "soon": time: invalid duration "soon"`,
		`3: partitions is a list, want a value`,
		`4: ingest is "maybe", want one of auto, on, off`,
		`6: emit.on-eror is not known, want on-error`,
		`7: emit.rate is empty, want a value`,
		`8: health is a plain value, want flags and their values`,
		`9: roles is "cook", want one of processor, view`,
		`11: listen is there twice, want it once`,
		`12: sink is not known, want list`,
		`13: version.config is not known, want output`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("mistakes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAFileThatIsNoMappingIsAMistake(t *testing.T) {
	for _, text := range []string{"- a\n- b\n", "just text\n", "a: [\n", "listen: a:1\n---\nlisten: b:2\n"} {
		_, _, _, err := call{verb: []string{"run"}, file: text}.parse(t)
		if exitCode(err) != exitUsage {
			t.Errorf("%q gives %v, want a mistake in the configuration", text, err)
		}
	}
}

func TestABadValueIsAMistakeFromEverySource(t *testing.T) {
	t.Run("flag", func(t *testing.T) {
		_, _, _, err := call{verb: []string{"run"}, args: []string{"--commit-interval", "soon"}}.parse(t)
		if exitCode(err) != exitUsage {
			t.Errorf("error is %v, want a usage error", err)
		}
	})
	t.Run("variable", func(t *testing.T) {
		t.Setenv("BILLSTREAM_COMMIT_INTERVAL", "soon")
		_, _, _, err := call{verb: []string{"run"}}.parse(t)
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "BILLSTREAM_COMMIT_INTERVAL") {
			t.Errorf("error is %v, want a usage error that names the variable", err)
		}
	})
	t.Run("variable that is empty", func(t *testing.T) {
		t.Setenv("BILLSTREAM_COMMIT_INTERVAL", "")
		_, _, _, err := call{verb: []string{"run"}, file: "commit-interval: 50ms\n"}.parse(t)
		if exitCode(err) != exitUsage {
			t.Errorf("error is %v, want a usage error", err)
		}
	})
}

func TestEveryFlagOfRunReachesTheConfiguration(t *testing.T) {
	_, plainRun, _, err := call{verb: []string{"run"}}.parse(t)
	if err != nil {
		t.Fatal(err)
	}
	notConfig := []string{"help", "progress", "log-level", "log-format"}
	for _, f := range runVerb(verbs(t)[0].Parent).Flags {
		if slices.Contains(notConfig, f.Name) {
			continue
		}
		_, all, _, err := call{verb: []string{"run"}, args: []string{"--" + f.Name + "=" + samples(t, f)[0]}}.parse(t)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(all.Run.config(), plainRun.Run.config()) {
			t.Errorf("--%s changes nothing in the configuration", f.Name)
		}
	}
}

// TestDefaultsAreThoseOfTheProcess holds the defaults in the help to those that
// internal/app fills in.
func TestDefaultsAreThoseOfTheProcess(t *testing.T) {
	_, all, _, err := call{verb: []string{"run"}}.parse(t)
	if err != nil {
		t.Fatal(err)
	}
	got, want := all.Run.config(), app.Config{UpdatesAccount: true}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("run without flags is\n%+v\nwant\n%+v", got, want)
	}
}

func TestWaitingForEverIsZeroForPeople(t *testing.T) {
	_, all, _, err := call{verb: []string{"run"}, args: []string{"--broker-wait", "0"}}.parse(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := all.Run.config().BrokerWait; got >= 0 {
		t.Errorf("wait is %s, want a negative one, which is for ever", got)
	}
}

func TestUnknownVariablesAreOneWarning(t *testing.T) {
	var out strings.Builder
	root := verbs(t)[0].Parent
	warnUnknownVariables(&out, []string{
		"BILLSTREAM_LISTENN=1", "BILLSTREAM_LISTEN=a", "BILLSTREAM_FAILPOINTS=x", "PATH=/", "BILLSTREAM_ADMIN=b", "BILLSTREAM_ADMINN=c",
	}, root)
	want := "billstream: warning: BILLSTREAM_ADMINN is not known, want BILLSTREAM_ADMIN; BILLSTREAM_LISTENN is not known, want BILLSTREAM_LISTEN\n"
	if out.String() != want {
		t.Errorf("warning is %q, want %q", out.String(), want)
	}
}

// FuzzConfigFile looks for files that break the reader: whatever a file holds,
// it is read or its mistakes are told.
func FuzzConfigFile(f *testing.F) {
	for _, text := range []string{
		"commit-interval: 50ms\n", "topics:\n  plan: {output: json}\n", "a: [\n", "---\n...\n", "? x\n", "listen: &a b\nadmin-listen: *a\n",
		"roles: [a, [b]]\n", "<<: {listen: x}\n", "1: 2\n", "brokers: ['a,b', c]\n", "!!binary x: y\n", "\ufeffroles: view\n",
	} {
		f.Add(text)
	}
	k, err := parser(new(commands), io.Discard, io.Discard)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &configFile{path: "billstream.yaml"}
		if err := c.read(strings.NewReader(text), k.Model.Node); err != nil {
			return
		}
		eachFlag(k.Model.Node, func(flag *kong.Flag) {
			if s, ok := c.lookup(runVerb(k.Model.Node), flag.Name); ok && tryFlag(flag, s.text) != nil && c.top.values[flag.Name] == s {
				t.Errorf("%s is %q, which the flag does not take", flag.Name, s.text)
			}
		})
	})
}
