package internal_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// variables are the package variables of each package, by its folder.
type variables map[string]map[string]bool

func collect(all []*source) variables {
	vars := variables{}
	for _, s := range all {
		if vars[s.pkg] == nil {
			vars[s.pkg] = map[string]bool{}
		}
		for _, spec := range s.specs(token.VAR) {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if s.product() && name.Name != "_" {
					vars[s.pkg][name.Name] = true
				}
			}
		}
	}
	return vars
}

// settable are variables of libraries that there is no other way around, each
// with the one package that sets it, before anything runs.
var settable = map[string]string{
	sarama + ".Logger": "internal/kafka",
}

// changes reports what in s can change a package variable after the start: an
// assignment to it, to a part of it or to a variable of another package, and a
// variable that is made to change, such as a mutex.
//
// Without types it does not see everything: a name that a function declares
// anywhere hides the package variable in all of it, and what is done through a
// variable's address or in a method is not followed.
func (vars variables) changes(s *source) []string {
	if !s.product() {
		return nil
	}
	ps := s.madeToChange()
	imports := s.imports()
	for f := range s.funcs {
		if f.Body == nil {
			continue
		}
		local := declared(f)
		is := func(e ast.Expr) (string, bool) {
			root, field := rootOf(e)
			switch {
			case root == "" || local[root]:
				return "", false
			case imports[root] != "" && field != "":
				return root + "." + field, settable[imports[root]+"."+field] != s.pkg
			}
			return root, vars[s.pkg][root]
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			for _, e := range changed(n) {
				if name, ok := is(e); ok {
					ps = append(ps, s.problem(n, "package variable %s changes after the start, want it in a struct", name))
				}
			}
			return true
		})
	}
	return ps
}

// changed lists the expressions whose value n can change.
func changed(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 {
			switch name.Name {
			case "delete", "clear", "copy":
				return n.Args[:1]
			}
		}
	}
	return nil
}

// rootOf returns the name that e starts from, and the first field after it.
func rootOf(e ast.Expr) (root, field string) {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name, field
		case *ast.SelectorExpr:
			e, field = x.X, x.Sel.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return "", ""
		}
	}
}

// declared returns the names that f declares: parameters, results, variables.
func declared(f *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	add := func(es ...ast.Expr) {
		for _, e := range es {
			if name, ok := e.(*ast.Ident); ok {
				names[name.Name] = true
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				add(name)
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				add(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key, n.Value)
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				add(name)
			}
		}
		return true
	})
	return names
}

// madeToChange reports package variables whose type is there to be changed.
// A sync.Pool is a cache of memory and has no state that a caller can see.
func (s *source) madeToChange() []string {
	imports := s.imports()
	var ps []string
	for _, spec := range s.specs(token.VAR) {
		v := spec.(*ast.ValueSpec)
		types := []ast.Expr{v.Type}
		for _, value := range v.Values {
			if l, ok := value.(*ast.CompositeLit); ok {
				types = append(types, l.Type)
			}
		}
		for _, t := range types {
			pkg, name := rootOf(generic(t))
			if p := imports[pkg]; p == "sync/atomic" || p == "sync" && name != "Pool" {
				ps = append(ps, s.problem(v, "package variable %s is a %s.%s, want it in a struct", v.Names[0].Name, pkg, name))
			}
		}
	}
	return ps
}

// generic strips the type arguments off t, and returns a name for no type.
func generic(t ast.Expr) ast.Expr {
	if t == nil {
		return ast.NewIdent("")
	}
	if g, ok := t.(*ast.IndexExpr); ok {
		return g.X
	}
	return t
}

func TestPackageVariablesNeverChange(t *testing.T) {
	all := tree(t)
	vars := collect(all)
	for _, s := range all {
		for _, p := range vars.changes(s) {
			t.Error(p)
		}
	}
}

func TestChangesOfPackageVariablesAreCaught(t *testing.T) {
	const declarations = "import (\n\"sync\"\n\"sync/atomic\"\n\"" + sarama + "\"\n\"regexp\"\n)\n\n" +
		"var n, m, l, p = 0, map[int]int{}, []int{}, &point{}\n\n"
	for text, caught := range map[string]bool{
		"func f() { n = 1 }":                                    true,
		"func f() { n++ }":                                      true,
		"func f() { m[1] = 2 }":                                 true,
		"func f() { delete(m, 1) }":                             true,
		"func f() { clear(m) }":                                 true,
		"func f() { l = append(l, 1) }":                         true,
		"func f() { l[0]++ }":                                   true,
		"func f() { p.x = 1 }":                                  true,
		"func f() { (*p).x = 1 }":                               true,
		"func f() { for n = range 3 { } }":                      true,
		"func f() { sarama.Logger = nil }":                      true,
		"var mu sync.Mutex":                                     true,
		"var once = sync.Once{}":                                true,
		"var count atomic.Int64":                                true,
		"var ptr atomic.Pointer[int]":                           true,
		"var pool sync.Pool":                                    false,
		"var word = regexp.MustCompile(`a`)":                    false,
		"func f() { n := 1; n++ }":                              false,
		"func f(n int) { n = 1 }":                               false,
		"func f() { var m map[int]int; m[1] = 2 }":              false,
		"func f() { for n := range 3 { n++ } }":                 false,
		"func f() int { return n + len(m) + l[0] + p.x }":       false,
		"type t struct{ n int }\n\nfunc (r *t) f() { r.n = 1 }": false,
	} {
		s := parse(t, "views/x.go", "package x\n\n"+declarations+text)
		got := collect([]*source{s}).changes(s)
		if (len(got) > 0) != caught {
			t.Errorf("problems of %s are %q, want one: %t", text, got, caught)
		}
	}
	logger := parse(t, "internal/kafka/x.go", "package x\n\n"+declarations+"func f() { sarama.Logger = nil }")
	if got := collect([]*source{logger}).changes(logger); len(got) > 0 {
		t.Errorf("problems of the package that sets the logger are %q, want none", got)
	}
	other := parse(t, "views/y.go", "package x\n\nfunc g() { n = 1 }")
	here := parse(t, "views/x.go", "package x\n\n"+declarations)
	if got := strings.Join(collect([]*source{here, other}).changes(other), "\n"); !strings.HasPrefix(got, "views/y.go:3: ") {
		t.Errorf("problems of a change in another file are %q, want one at views/y.go:3", got)
	}
}
