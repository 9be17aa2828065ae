package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"billstream/internal/auth"
)

// failpointPrefix begins the variables of builds with failpoints.
const failpointPrefix = envPrefix + "_FAILPOINT"

// variable returns the environment variable of a flag that is set.
func variable(f *kong.Flag) (name, value string, set bool) {
	for _, name := range f.Tag.Envs {
		if value, set := os.LookupEnv(name); set {
			return name, value, true
		}
	}
	return "", "", false
}

// warnUnknownVariables writes one warning about variables that look like ours
// and are not: a typing error would otherwise go unseen.
func warnUnknownVariables(w io.Writer, environ []string, root *kong.Node) {
	known := map[string]bool{auth.PasswordVariable: true}
	eachFlag(root, func(f *kong.Flag) {
		for _, name := range f.Tag.Envs {
			known[name] = true
		}
	})
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix+"_") && !known[name] && !strings.HasPrefix(name, failpointPrefix) {
			unknown = append(unknown, fmt.Sprintf("%s is not known, want %s", name, nearest(name, keysOf(known, known))))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		fmt.Fprintf(w, "billstream: warning: %s\n", strings.Join(unknown, "; "))
	}
}

func eachFlag(n *kong.Node, do func(*kong.Flag)) {
	for _, f := range n.Flags {
		do(f)
	}
	for _, child := range n.Children {
		eachFlag(child, do)
	}
}

func nameOf(at string) string {
	if at == "" {
		return "the file"
	}
	return strings.TrimSuffix(at, ".")
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return "a plain value"
}

// kindOfFlag says what a flag takes.
func kindOfFlag(f *kong.Flag) string {
	if f.Target.Type() == reflect.TypeFor[time.Duration]() {
		return "a duration such as 100ms, 10s, 1h"
	}
	switch f.Target.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

func keysOf[A, B any](a map[string]A, b map[string]B) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// nearest returns the one of names that takes the fewest edits to get from
// name; the first of them when there are several.
func nearest(name string, names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return slices.MinFunc(names, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
