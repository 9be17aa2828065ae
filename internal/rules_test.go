package internal_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rule is a law that one file can be held to. Each comes with code that breaks
// it, so that a check that has gone blind is noticed.
type rule struct {
	name   string
	check  func(*source) []string
	breaks []control
	keeps  []control
}

// control is a file made up for a test: its path and its text, of which the
// package clause may be left out.
type control struct{ path, text string }

func (c control) parse(t *testing.T) *source {
	t.Helper()
	if !strings.Contains(c.text, "package x\n") {
		c.text = "package x\n\n" + c.text
	}
	return parse(t, c.path, c.text)
}

var rules = []rule{
	{
		name: "the domain has no clock", check: clock,
		breaks: []control{
			{"internal/billing/x.go", "import \"time\"\n\nvar a = time.Now()"},
			{"internal/customer/x.go", "import t \"time\"\n\nfunc f() { <-t.After(1) }"},
		},
		keeps: []control{
			{"internal/billing/x.go", "import \"time\"\n\nvar a = time.Unix(0, 0)"},
			{"internal/billing/x_test.go", "import \"time\"\n\nvar a = time.Now()"},
			{"internal/app/x.go", "import \"time\"\n\nvar a = time.Now()"},
		},
	},
	{
		name: "tests wait for what they want and not for a while", check: noSleep,
		breaks: []control{{"views/x_test.go", "import \"time\"\n\nfunc f() { time.Sleep(1) }"}},
		keeps: []control{
			{"views/x_test.go", "import (\n\"testing/synctest\"\n\"time\"\n)\n\nfunc f() { synctest.Test(nil, nil); time.Sleep(1) }"},
		},
	},
	{
		name: "nothing runs before main", check: noInit,
		breaks: []control{{"views/x.go", "func init() {}"}},
		keeps:  []control{{"views/x.go", "type a int\n\nfunc (a) init() {}"}},
	},
	{
		name: "logs go where the caller says", check: noDefaultLog,
		breaks: []control{
			{"views/x.go", "import \"log/slog\"\n\nvar a = slog.Default()"},
			{"views/x.go", "import \"log/slog\"\n\nfunc f() { slog.Info(\"hello\") }"},
			{"views/x.go", "import \"log\"\n\nfunc f() { log.Printf(\"hello\") }"},
		},
		keeps: []control{{"views/x.go", "import \"log/slog\"\n\nvar a = slog.New(slog.DiscardHandler)"}},
	},
	{
		name: "metrics go to the registry of the caller", check: noDefaultRegistry,
		breaks: []control{
			{"views/x.go", "import \"" + prometheus + "/prometheus\"\n\nvar a = prometheus.DefaultRegisterer"},
			{"views/x.go", "import \"" + prometheus + "/prometheus\"\n\nfunc f() { prometheus.MustRegister(nil) }"},
			{"views/x.go", "import \"" + prometheus + "/prometheus/promhttp\"\n\nvar a = promhttp.Handler()"},
			{"views/x.go", "import \"" + prometheus + "/prometheus/promauto\"\n\nvar a = promauto.With(nil)"},
		},
		keeps: []control{{"views/x.go", "import \"" + prometheus + "/prometheus\"\n\nvar a = prometheus.NewRegistry()"}},
	},
	{
		name: "metrics are named billstream_, in one literal", check: metricNames,
		breaks: []control{
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.CounterOpts{Name: \"lookups_total\"}"},
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.GaugeOpts{Namespace: \"billstream\", Name: b}"},
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.NewDesc(\"lookups\", \"\", nil, nil)"},
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.NewDesc(\"billstream_\"+b, \"\", nil, nil)"},
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = c(p.NewRegistry(), \"lookups_total\")"},
		},
		keeps: []control{
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.CounterOpts{Name: \"billstream_lookups_total\"}"},
			{"views/x.go", "import p \"" + prometheus + "/prometheus\"\n\nvar a = p.CounterOpts{Name: name}"},
		},
	},
	{
		name: "goka is configured per client", check: noGlobalGoka,
		breaks: []control{
			{"processors/x.go", "import \"" + goka + "\"\n\nvar a = goka.DefaultConfig()"},
			{"processors/x_test.go", "import \"" + goka + "\"\n\nfunc f() { goka.ReplaceGlobalConfig(nil) }"},
		},
		keeps: []control{{"processors/x.go", "import \"" + goka + "\"\n\nvar a = goka.Stream(\"s\")"}},
	},
	{
		name: "offsets are not added to a transaction by sarama", check: noOffsetsToTxn,
		breaks: []control{{"internal/eos/x.go", "func f() { a.AddOffsetsToTxn(nil, \"g\") }"}},
		keeps:  []control{{"internal/eos/x.go", "// AddOffsetsToTxn(offsets) does not fence."}},
	},
	{
		name: "goroutines start where they are joined", check: goroutines,
		breaks: []control{
			{"processors/x.go", "func f() { go f() }"},
			{"processors/x.go", "func f() { wg.Go(f) }"},
		},
		keeps: []control{{"internal/app/x.go", "func f() { go f() }"}, {"processors/x_test.go", "func f() { go f() }"}},
	},
	{
		name: "functions fit on a screen or two", check: functionLength,
		breaks: []control{
			{"views/x.go", "func f() {" + strings.Repeat("\n", 80) + "}"},
			{"internal/app/x.go", "func New() {" + strings.Repeat("\n", 150) + "}"},
		},
		keeps: []control{
			{"views/x.go", "func f() {" + strings.Repeat("\n", 79) + "}"},
			{"internal/app/x.go", "func New() {" + strings.Repeat("\n", 149) + "}"},
			{"codecs/x.go", "// Code generated by hand. DO NOT EDIT.\n\npackage x\n\nfunc f() {" + strings.Repeat("\n", 80) + "}"},
		},
	},
	{
		name: "files can be read in one go", check: fileLength,
		breaks: []control{{"views/x.go", strings.Repeat("//\n", 499)}},
		keeps:  []control{{"views/x.go", strings.Repeat("//\n", 498)}},
	},
	{
		name: "exported names say what they mean", check: documented,
		breaks: []control{
			{"views/x.go", "func F() {}"},
			{"views/x.go", "type T int"},
			{"views/x.go", "// T is documented.\ntype T int\n\nfunc (t *T) M() {}"},
			{"views/x.go", "var V int"},
			{"views/x.go", "const (\n\t// A is one.\n\tA = 1\n\tB = 2\n)"},
		},
		keeps: []control{
			{"views/x.go", "// F does.\nfunc F() {}\n\ntype t int\n\nfunc (t) M() {}"},
			{"views/x.go", "// T is.\ntype T int\n\nfunc (T) Error() string { return \"\" }"},
			{"views/x.go", "// Kinds.\nconst (\n\tA = 1\n\tB = 2\n)"},
			{"views/x.go", "const (\n\tA = 1 // one\n)"},
			{"views/x.go", "const (\n\t// A and B are two.\n\tA = 1\n\tB = 2\n)"},
		},
	},
	{
		name: "errors say what is, not that something failed", check: noFailedTo,
		breaks: []control{{"views/x.go", "var a = \"failed to open\""}},
		keeps:  []control{{"views/x.go", "// It failed to open.\nvar a = \"open\""}},
	},
	{
		name: "nothing is put off, switched off or tied to one machine", check: leftovers,
		breaks: []control{
			{"views/x.go", "// TO" + "DO: later"},
			{"views/x.go", "//no" + "lint:all"},
			{"views/x_test.go", "var a = \"/ro" + "ot/data\""},
			{"views/x_test.go", "func f() { t.Skip() }"},
		},
		keeps: []control{{"views/x.go", "var a = \"/readyz\" // not to do\n\nfunc f(s s) { s.Skip() }"}},
	},
}

func TestCodeKeepsTheRules(t *testing.T) {
	all := tree(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range all {
				for _, p := range r.check(s) {
					t.Error(p)
				}
			}
		})
	}
}

func TestRulesCatchWhatBreaksThem(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, c := range r.breaks {
				if len(r.check(c.parse(t))) == 0 {
					t.Errorf("%s is fine, want it caught:\n%.99s", c.path, c.text)
				}
			}
			for _, c := range r.keeps {
				if ps := r.check(c.parse(t)); len(ps) > 0 {
					t.Errorf("%s is caught, want it fine: %q\n%.99s", c.path, ps, c.text)
				}
			}
		})
	}
}

// forbidden reports the uses of a package's names for which is is true.
func (s *source) forbidden(why string, is func(pkg, name string) bool) []string {
	var ps []string
	for n, pkg := range s.uses {
		if is(pkg, n.Sel.Name) {
			ps = append(ps, s.problem(n, "%s.%s is used: %s", pkg, n.Sel.Name, why))
		}
	}
	return ps
}

func clock(s *source) []string {
	if s.test || s.pkg != "internal/customer" && s.pkg != "internal/billing" {
		return nil
	}
	clocks := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
	return s.forbidden("time comes in as a value", func(pkg, name string) bool {
		return pkg == "time" && slices.Contains(clocks, name)
	})
}

// noSleep lets tests sleep in a bubble alone, where it takes no time and ends
// only when everything else waits.
func noSleep(s *source) []string {
	if !s.test || s.imports()["synctest"] != "" {
		return nil
	}
	return s.forbidden("how long is long enough differs between machines", func(pkg, name string) bool {
		return pkg == "time" && name == "Sleep"
	})
}

func noInit(s *source) []string {
	var ps []string
	for f := range s.funcs {
		if s.product() && f.Recv == nil && f.Name.Name == "init" {
			ps = append(ps, s.problem(f, "func init is here, want it called by whoever needs it"))
		}
	}
	return ps
}

var (
	slogDefault = regexp.MustCompile(`^(Default|SetDefault|With|Log|LogAttrs|(Debug|Info|Warn|Error)(Context)?)$`)
	logDefault  = regexp.MustCompile(`^(Default|Set\w+|Output|(Print|Fatal|Panic)(f|ln)?)$`)
)

func noDefaultLog(s *source) []string {
	if !s.product() {
		return nil
	}
	return s.forbidden("the handler comes in as a value", func(pkg, name string) bool {
		return pkg == "log/slog" && slogDefault.MatchString(name) || pkg == "log" && logDefault.MatchString(name)
	})
}

func noDefaultRegistry(s *source) []string {
	const client = prometheus + "/prometheus"
	global := []string{"DefaultRegisterer", "DefaultGatherer", "MustRegister", "Register", "Unregister"}
	return s.forbidden("the registry comes in as a value", func(pkg, name string) bool {
		return pkg == client && slices.Contains(global, name) ||
			pkg == client+"/promhttp" && name == "Handler" || pkg == client+"/promauto"
	})
}

func noGlobalGoka(s *source) []string {
	return s.forbidden("its settings hold for the whole process", func(pkg, name string) bool {
		return pkg == goka && (strings.HasPrefix(name, "Default") || name == "ReplaceGlobalConfig")
	})
}

func noOffsetsToTxn(s *source) []string {
	var ps []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if f, ok := c.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "AddOffsetsToTxn" {
				ps = append(ps, s.problem(n, "AddOffsetsToTxn is called: it sends no member and no generation, so it does not fence"))
			}
		}
		return true
	})
	return ps
}

// concurrent are the packages that may start goroutines: internal/kafka reads
// what sarama answers over channels.
var concurrent = []string{"internal/app", "internal/bench", "internal/doctor", "internal/eos", "internal/kafka", "internal/kafkatest", "views"}

// goroutines finds go statements, and Go methods as WaitGroup and errgroup have.
func goroutines(s *source) []string {
	if !s.product() || slices.Contains(concurrent, s.pkg) {
		return nil
	}
	var ps []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		starts := false
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = true
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			starts = ok && sel.Sel.Name == "Go" && len(n.Args) == 1
		}
		if starts {
			ps = append(ps, s.problem(n, "a goroutine starts in %s, want it started by one of %v", s.pkg, concurrent))
		}
		return true
	})
	return ps
}

func noFailedTo(s *source) []string {
	var ps []string
	for l := range s.literals {
		if s.product() && strings.Contains(strings.ToLower(l.Value), "failed "+"to") {
			ps = append(ps, s.problem(l, "%s is said, want what is and what was wanted", l.Value))
		}
	}
	return ps
}

// literals yields the strings in s.
func (s *source) literals(yield func(*ast.BasicLit) bool) {
	done := false
	ast.Inspect(s.file, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && !done {
			done = !yield(l)
		}
		return !done
	})
}
