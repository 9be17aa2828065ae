package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the file of --config, checked against the flags. The flags of
// run stand at its top level, those of another verb under the verb's name:
//
//	commit-interval: 50ms
//	emit:
//	  rate: 1000
//
// A verb that has a flag of run, too, takes it from its own part or else from
// the top level, since a flag means the same everywhere.
type configFile struct {
	path string
	top  *section
}

// section is one level of the file.
type section struct {
	values map[string]setting
	verbs  map[string]*section
}

// setting is a value of the file as text, the way it would stand on the
// command line, and its line.
type setting struct {
	text string
	line int
}

// configPath finds the file's name before the command line is parsed: what is
// in the file takes part in the parsing.
func configPath(args []string, lookup func(string) (string, bool)) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--config="); ok {
			return value
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	path, _ := lookup(envPrefix + "_CONFIG")
	return path
}

// openConfig reads the file at path and reports every mistake in it at once.
// Without a path there is no file: nil.
func openConfig(path string, root *kong.Node) (*configFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &usage{err: fmt.Errorf("read configuration: %w", err)}
	}
	defer f.Close()
	c := &configFile{path: path}
	if err := c.read(f, root); err != nil {
		return nil, &usage{err: err, hint: "see what a file can hold: billstream config print"}
	}
	return c, nil
}

func (c *configFile) read(r io.Reader, root *kong.Node) error {
	var doc, next yaml.Node
	d := yaml.NewDecoder(r)
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF): // empty, or comments alone
		c.top = &section{}
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", c.path, err)
	}
	if !errors.Is(d.Decode(&next), io.EOF) {
		return fmt.Errorf("%s: is more than one document, want one", c.path)
	}
	var errs []error
	c.top = c.section(doc.Content[0], root, "", &errs)
	return errors.Join(errs...)
}

// section reads the mapping n, whose keys are flags and verbs below verb.
func (c *configFile) section(n *yaml.Node, verb *kong.Node, at string, errs *[]error) *section {
	s := &section{values: map[string]setting{}, verbs: map[string]*section{}}
	wrong := func(line int, format string, args ...any) {
		*errs = append(*errs, fmt.Errorf("%s:%d: %w", c.path, line, fmt.Errorf(format, args...)))
	}
	if n.Kind != yaml.MappingNode {
		wrong(n.Line, "%s is %s, want flags and their values", nameOf(at), kindOf(n))
		return s
	}
	flags, verbs := fileKeys(verb)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		_, twice := s.values[name]
		switch {
		case twice || s.verbs[name] != nil:
			wrong(key.Line, "%s is there twice, want it once", at+name)
		case flags[name] != nil:
			text, err := settingText(flags[name], value)
			if err != nil {
				wrong(value.Line, "%s %w", at+name, err)
			}
			s.values[name] = setting{text: text, line: value.Line}
		case verbs[name] != nil:
			s.verbs[name] = c.section(value, verbs[name], at+name+".", errs)
		default:
			wrong(key.Line, "%s is not known, want %s", at+name, nearest(name, keysOf(flags, verbs)))
		}
	}
	return s
}

// fileKeys returns what may stand in the file at a verb: the flags of it and
// of the verbs below it, and the names of those. The root stands for run.
func fileKeys(verb *kong.Node) (map[string]*kong.Flag, map[string]*kong.Node) {
	flags, verbs := map[string]*kong.Flag{}, map[string]*kong.Node{}
	add := func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name != "help" && f.Name != "config" {
				flags[f.Name] = f
			}
		}
	}
	add(verb)
	for _, child := range verb.Children {
		switch {
		case verb.Type == kong.ApplicationNode && child.Name == "run":
			add(child)
		case len(child.Flags) > 0 || len(child.Children) > 0:
			verbs[child.Name] = child
			if verb.Type != kong.ApplicationNode {
				add(child)
			}
		}
	}
	return flags, verbs
}

// settingText returns the value as it would stand on the command line, after
// checking that the flag would take it.
func settingText(f *kong.Flag, n *yaml.Node) (string, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var text string
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		text = n.Value
	case n.Kind == yaml.SequenceNode && f.IsSlice():
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", fmt.Errorf("holds %s, want plain values", kindOf(item))
			}
			items[i] = strings.ReplaceAll(item.Value, ",", `\,`)
		}
		text = strings.Join(items, ",")
	default:
		return "", fmt.Errorf("is %s, want a value", kindOf(n))
	}
	return text, tryFlag(f, text)
}

// tryFlag reports whether the flag takes the text, without setting it.
func tryFlag(f *kong.Flag, text string) error {
	target := reflect.New(f.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(text, kong.FlagValueToken)
	if err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, target); err != nil {
		return fmt.Errorf("is %q, want %s: %w", text, kindOfFlag(f), err)
	}
	if f.Enum == "" {
		return nil
	}
	values := []string{fmt.Sprint(target.Interface())}
	if list, ok := target.Interface().([]string); ok {
		values = list
	}
	for _, v := range values {
		if !slices.Contains(f.EnumSlice(), v) {
			return fmt.Errorf("is %q, want one of %s", v, strings.Join(f.EnumSlice(), ", "))
		}
	}
	return nil
}

// resolver gives kong the values of the file. kong asks resolvers even when the
// variable of a flag is set, and would let them win: the answer is none then
// (alecthomas/kong v1.17.0, Context.Resolve).
func (c *configFile) resolver() kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, at *kong.Path, f *kong.Flag) (any, error) {
		if _, _, set := variable(f); set {
			return nil, nil
		}
		if s, ok := c.lookup(at.Node(), f.Name); ok {
			return s.text, nil
		}
		return nil, nil
	})
}

// lookup finds the value of a verb's flag: in the part of the verb, in that of
// the verbs above it, and at last at the top level if it is a flag of run.
func (c *configFile) lookup(verb *kong.Node, flag string) (setting, bool) {
	if c == nil || verb == nil {
		return setting{}, false
	}
	found, ok := setting{}, false
	take := func(s *section) {
		if v, has := s.values[flag]; has {
			found, ok = v, true
		}
	}
	s := c.top
	take(s)
	for _, name := range verbNames(verb) {
		if s = s.verbs[name]; s == nil {
			break
		}
		take(s)
	}
	return found, ok
}

// verbNames is the way from the root to a verb: topics, plan.
func verbNames(verb *kong.Node) []string {
	var names []string
	for ; verb != nil && verb.Type == kong.CommandNode; verb = verb.Parent {
		names = append(names, verb.Name)
	}
	slices.Reverse(names)
	return names
}
