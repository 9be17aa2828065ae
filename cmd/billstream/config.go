package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"billstream/internal/app"
	"billstream/internal/auth"
)

// confCommand is the verb config; the name without "ig" keeps it apart from
// --config.
type confCommand struct {
	Print confPrint `cmd:"" help:"Show the configuration of run with the origin of every value."`
	Check confCheck `cmd:"" help:"Check the configuration of run, all mistakes at once."`
}

// confPrint prints what run would work with. Nothing is contacted.
type confPrint struct {
	runFlags
	Output string `short:"o" enum:"yaml,text,json" default:"yaml" help:"How to print data: yaml (text is the same) or json."`
}

// Help is the lower part of the verb's help.
func (*confPrint) Help() string {
	return `The origin of a value is default, file:line, the name of a variable, or flag. What is printed as YAML can be used as a file. Nothing is contacted.

Examples:

    billstream config print
    billstream config print --config billing.yaml --output json
`
}

// Run prints the settings.
func (c *confPrint) Run(p *program, k *kong.Context) error {
	settings := settingsOf(k, c.config(), p.file)
	if os.Getenv(auth.PasswordVariable) != "" {
		settings = append(settings, effective{passwordSetting, masked, "$" + auth.PasswordVariable})
	}
	if c.Output == "json" {
		return printSettingsJSON(p.stdout, settings)
	}
	return printSettingsYAML(p.stdout, settings)
}

// confCheck makes the checks of run that need nothing but the configuration.
type confCheck struct {
	runFlags
}

// Help is the lower part of the verb's help.
func (*confCheck) Help() string {
	return `Exit code 0: run would take it; 2: it would not. Nothing is contacted.

Examples:

    billstream config check --config billing.yaml
    BILLSTREAM_COMMIT_INTERVAL=1h billstream config check
`
}

// Run checks the configuration.
func (c *confCheck) Run(p *program) error {
	config := c.config()
	if err := config.Validate(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, "configuration is valid")
	return err
}

// A password can only come from a file or from a variable: of the latter, that
// it is there is shown, and not as something that a file could hold.
const (
	passwordSetting = "sasl-password"
	masked          = "***"
)

// effective is one value of the configuration and where it comes from.
type effective struct {
	name   string
	value  any    // string, bool, int64 or []string
	origin string // default, FILE:LINE, $VARIABLE or flag
}

// settingsOf returns what the chosen verb works with, as far as it has run's
// flags, in their order. c is what these flags ask for.
func settingsOf(k *kong.Context, c app.Config, file *configFile) []effective {
	// Validate fills in what depends on other values. Whether it likes them is
	// for check to say.
	_ = c.Validate()
	verb := k.Selected()
	depends := map[string]any{
		"session-timeout": c.SessionTimeout,
		"replication":     c.Replication,
	}
	known := map[string]bool{}
	for _, flag := range runVerb(k.Model.Node).Flags {
		known[flag.Name] = flag.Name != "progress"
	}
	var settings []effective
	for _, flag := range verb.Flags {
		if !known[flag.Name] {
			continue
		}
		value := flag.Target.Interface()
		if d, ok := depends[flag.Name]; ok {
			value = d
		}
		settings = append(settings, effective{flag.Name, plain(value), origin(flag, verb, k, file)})
	}
	return settings
}

func runVerb(root *kong.Node) *kong.Node {
	i := slices.IndexFunc(root.Children, func(n *kong.Node) bool { return n.Name == "run" })
	return root.Children[i]
}

// origin says where the value of a flag comes from, the strongest source first.
func origin(f *kong.Flag, verb *kong.Node, k *kong.Context, file *configFile) string {
	for _, p := range k.Path {
		if p.Flag == f && !p.Resolved {
			return "flag"
		}
	}
	if name, _, set := variable(f); set {
		return "$" + name
	}
	if s, ok := file.lookup(verb, f.Name); ok {
		return fmt.Sprintf("%s:%d", file.path, s.line)
	}
	return "default"
}

// plain turns a flag's value into what YAML and JSON can hold.
func plain(value any) any {
	switch v := value.(type) {
	case time.Duration:
		return shortDuration(v)
	case int:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case []string:
		return append([]string{}, v...) // never null
	}
	return value
}

// shortDuration writes 1h and 10m without the zeros that Go adds.
func shortDuration(d time.Duration) string {
	s := d.String()
	if d != 0 && strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// configHash is a fingerprint of the effective configuration, so that two
// processes can be compared.
func configHash(settings []effective) string {
	h := sha256.New()
	for _, s := range settings {
		fmt.Fprintf(h, "%s=%v\n", s.name, s.value)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// printSettingsYAML prints the settings so that they can be read back, with the
// origin as a comment.
func printSettingsYAML(w io.Writer, settings []effective) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range settings {
		if s.name == passwordSetting {
			doc.FootComment = fmt.Sprintf("# %s: %q # %s", s.name, s.value, s.origin)
			continue
		}
		value := new(yaml.Node)
		if err := value.Encode(s.value); err != nil {
			return err
		}
		value.Style = yaml.FlowStyle
		value.LineComment = s.origin
		if value.Kind == yaml.ScalarNode {
			value.Style = 0
		}
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: s.name}, value)
	}
	return yaml.NewEncoder(w).Encode(doc)
}

// printSettingsJSON prints one object, its members in the order of the flags.
func printSettingsJSON(w io.Writer, settings []effective) error {
	out := []byte("{")
	for i, s := range settings {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(struct {
			Value  any    `json:"value"`
			Origin string `json:"origin"`
		}{s.value, s.origin})
		if err != nil {
			return err
		}
		out = fmt.Appendf(out, "%q:%s", s.name, value)
	}
	_, err := w.Write(append(out, '}', '\n'))
	return err
}
