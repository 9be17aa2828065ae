package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// source is one Go file of the tree, parsed and not type-checked: so every
// build tag is seen, and a package that does not compile is seen too.
type source struct {
	path      string // from the root of the module, with slashes
	pkg       string // its folder
	test      bool
	generated bool
	text      string
	file      *ast.File
	at        *token.FileSet
}

// product tells whether s is code of the program written by a person.
func (s *source) product() bool { return !s.test && !s.generated }

// problem is a breach of a rule and where it is.
func (s *source) problem(n ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", s.path, s.at.Position(n.Pos()).Line) + fmt.Sprintf(format, args...)
}

// parse reads text as the file at name.
func parse(t *testing.T, name, text string) *source {
	t.Helper()
	s := &source{
		path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		text: text, at: token.NewFileSet(),
	}
	file, err := parser.ParseFile(s.at, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	s.file, s.generated = file, ast.IsGenerated(file)
	return s
}

// tree parses every Go file of the module. Folders of data, hidden ones and
// modules within the module are left out.
func tree(t *testing.T) []*source {
	t.Helper()
	const root = ".."
	var all []*source
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(file, "go.mod"))
			hidden := strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")
			if file != root && (d.Name() == "testdata" || hidden || nested == nil) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		all = append(all, parse(t, filepath.ToSlash(name), string(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("tree is empty, want the files of the module")
	}
	return all
}

// uses yields what s names of imported packages, called or not, each with the
// path of its package.
func (s *source) uses(yield func(n *ast.SelectorExpr, pkg string) bool) {
	imports := s.imports()
	done := false
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && !done {
			if x, ok := sel.X.(*ast.Ident); ok && imports[x.Name] != "" {
				done = !yield(sel, imports[x.Name])
			}
		}
		return !done
	})
}

// imports maps the name of each imported package in s to its path. Without a
// name of its own, an import has the last part of the path that is no version.
func (s *source) imports() map[string]string {
	names := map[string]string{}
	for _, i := range s.file.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		name := path.Base(p)
		if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(p))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = p
	}
	return names
}

// funcs are the functions and methods declared in s.
func (s *source) funcs(yield func(*ast.FuncDecl) bool) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && !yield(f) {
			return
		}
	}
}

// specs yields what the declarations of kind tok at the top of s declare.
func (s *source) specs(tok token.Token) func(yield func(*ast.GenDecl, ast.Spec) bool) {
	return func(yield func(*ast.GenDecl, ast.Spec) bool) {
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != tok {
				continue
			}
			for _, spec := range g.Specs {
				if !yield(g, spec) {
					return
				}
			}
		}
	}
}
