package internal_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Lengths in lines, first and last included.
const (
	maxFunction = 80
	maxNew      = 150 // internal/app.New: wiring, one straight line
	maxFile     = 500
)

func functionLength(s *source) []string {
	var ps []string
	for f := range s.funcs {
		limit := maxFunction
		if s.pkg == "internal/app" && f.Recv == nil && f.Name.Name == "New" {
			limit = maxNew
		}
		lines := s.at.Position(f.End()).Line - s.at.Position(f.Pos()).Line + 1
		if s.product() && lines > limit {
			ps = append(ps, s.problem(f, "func %s is %d lines, want %d at most", f.Name.Name, lines, limit))
		}
	}
	return ps
}

func fileLength(s *source) []string {
	if lines := strings.Count(s.text, "\n"); s.product() && lines > maxFile {
		return []string{s.problem(s.file.Name, "file is %d lines, want %d at most", lines, maxFile)}
	}
	return nil
}

// documented checks that what other packages can name has a comment: functions,
// types and methods one each, constants and variables one for their group or
// one behind them. What Error and Unwrap mean, the language says.
func documented(s *source) []string {
	if !s.product() {
		return nil
	}
	var ps []string
	want := func(n ast.Node, name *ast.Ident, comments ...*ast.CommentGroup) {
		for _, c := range comments {
			if c.Text() != "" {
				return
			}
		}
		if name.IsExported() {
			ps = append(ps, s.problem(n, "%s has no comment, want what it means", name.Name))
		}
	}
	for f := range s.funcs {
		if f.Recv == nil || ast.IsExported(receiver(f)) && f.Name.Name != "Error" && f.Name.Name != "Unwrap" {
			want(f, f.Name, f.Doc)
		}
	}
	for g, spec := range s.specs(token.TYPE) {
		t := spec.(*ast.TypeSpec)
		want(t, t.Name, g.Doc, t.Doc, t.Comment)
	}
	for _, kind := range []token.Token{token.CONST, token.VAR} {
		for g, spec := range s.specs(kind) {
			v := spec.(*ast.ValueSpec)
			for _, name := range v.Names {
				if !named(g, name.Name) {
					want(v, name, g.Doc, v.Doc, v.Comment)
				}
			}
		}
	}
	return ps
}

// named tells whether a comment in the group g is about name too.
func named(g *ast.GenDecl, name string) bool {
	for _, spec := range g.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok && slices.Contains(strings.Fields(v.Doc.Text()), name) {
			return true
		}
	}
	return false
}

// receiver is the name of the type that the method f belongs to.
func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	switch g := t.(type) {
	case *ast.IndexExpr:
		t = g.X
	case *ast.IndexListExpr:
		t = g.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

const namePrefix = "billstream_"

var (
	options     = regexp.MustCompile(`^(Counter|Gauge|Histogram|Summary|Untyped|)Opts$`)
	metricLike  = regexp.MustCompile(`^"[a-z][a-z0-9_]*_(total|seconds|bytes|records|ratio)"$`)
	namePattern = regexp.MustCompile(`^"` + namePrefix + `[a-z0-9_]+"$`)
)

// metricNames checks the names in files that import the Prometheus client: of
// options and descriptions, and of whatever else looks like one.
func metricNames(s *source) []string {
	const client = prometheus + "/prometheus"
	imported := false
	for _, p := range s.imports() {
		imported = imported || p == client
	}
	if !s.product() || !imported {
		return nil
	}
	var ps []string
	whole := func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.BasicLit:
			if !namePattern.MatchString(e.Value) {
				ps = append(ps, s.problem(e, "metric name is %s, want one that begins with %s", e.Value, namePrefix))
			}
		case *ast.BinaryExpr:
			ps = append(ps, s.problem(e, "metric name is put together, want one literal that can be searched for"))
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if sel, ok := n.Type.(*ast.SelectorExpr); ok && options.MatchString(sel.Sel.Name) {
				for field, value := range fields(n) {
					if field == "Namespace" || field == "Subsystem" {
						ps = append(ps, s.problem(value, "%s is set, want the whole name in one literal", field))
					}
					if field == "Name" {
						whole(value)
					}
				}
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "NewDesc" && len(n.Args) > 0 {
				whole(n.Args[0])
			}
		case *ast.BasicLit:
			if metricLike.MatchString(n.Value) {
				whole(n)
			}
		}
		return true
	})
	return ps
}

// fields yields the named fields of a struct literal.
func fields(l *ast.CompositeLit) func(yield func(string, ast.Expr) bool) {
	return func(yield func(string, ast.Expr) bool) {
		for _, e := range l.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && !yield(key.Name, kv.Value) {
					return
				}
			}
		}
	}
}

var (
	putOff  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b|no` + `lint`)
	machine = regexp.MustCompile(`(^|[^\w.*])/(work|root|home|tmp|Users)/`)
)

// leftovers checks comments and strings, and that no test is switched off.
func leftovers(s *source) []string {
	if s.generated {
		return nil
	}
	var ps []string
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			if found := putOff.FindString(c.Text); found != "" {
				ps = append(ps, s.problem(c, "%s is here, want it done or gone", found))
			}
			if machine.MatchString(c.Text) {
				ps = append(ps, s.problem(c, "comment is about a path of one machine"))
			}
		}
	}
	for l := range s.literals {
		if machine.MatchString(l.Value) {
			ps = append(ps, s.problem(l, "%s is a path of one machine, want it to come in", l.Value))
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && s.test {
			x, _ := sel.X.(*ast.Ident)
			if x != nil && (x.Name == "t" || x.Name == "b") && strings.HasPrefix(sel.Sel.Name, "Skip") {
				ps = append(ps, s.problem(n, "a test is skipped, want it to run or fail, or a build tag"))
			}
		}
		return true
	})
	return ps
}

func TestLengthsCountFirstAndLastLine(t *testing.T) {
	s := parse(t, "views/x.go", "package x\n\nfunc f() {\n"+strings.Repeat("\n", 79)+"}\n")
	want := "views/x.go:3: func f is 81 lines, want 80 at most"
	if got := functionLength(s); len(got) != 1 || got[0] != want {
		t.Errorf("problems are %q, want %q", got, want)
	}
}
