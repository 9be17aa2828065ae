package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"billstream/internal/topics"
)

// aclFlags turn topics plan into the list of rights.
type aclFlags struct {
	ACLs      bool     `name:"acls" negatable:"" help:"Print which rights every role needs, and contact nobody."`
	ACLRoles  []string `name:"acl-roles" default:"processor,view,operator,verify,topics" help:"Roles whose rights are printed: processor, view, operator (emit), verify, topics."`
	Principal string   `default:"User:billing" help:"Who gets the rights of the processor; the others have their role behind it, as in User:billing-view."`
	Commands  bool     `negatable:"" help:"With --acls: as commands for a shell, one for each right."`
}

// right is one rule as data.
type right struct {
	Role      string `json:"role"`
	Principal string `json:"principal"`
	Resource  string `json:"resource"`
	Name      string `json:"name"`
	Pattern   string `json:"pattern"` // literal, prefixed
	Operation string `json:"operation"`
	Without   string `json:"without"`
	Command   string `json:"command"`
}

// print prints the rights.
func (f *aclFlags) print(w io.Writer, asJSON bool, brokers []string) error {
	rights, err := f.rights(brokers)
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(w, struct {
			ACLs []right `json:"acls"`
		}{rights})
	case f.Commands:
		for _, r := range rights {
			if _, err := fmt.Fprintln(w, r.Command); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]string{{"PRINCIPAL", "RESOURCE", "NAME", "OPERATION", "WITHOUT IT"}}
	for _, r := range rights {
		if r.Pattern == "prefixed" {
			r.Name += "*"
		}
		rows = append(rows, []string{r.Principal, r.Resource, r.Name, r.Operation, r.Without})
	}
	return printTable(w, rows)
}

func (f *aclFlags) rights(brokers []string) ([]right, error) {
	var roles []topics.Role
	for _, name := range f.ACLRoles {
		role := topics.Role(strings.TrimSpace(name))
		if !slices.Contains(topics.Roles(), role) {
			return nil, &usage{err: fmt.Errorf("acl-roles is %q, want some of processor, view, operator, verify, topics", name)}
		}
		roles = append(roles, role)
	}
	if kind, name, ok := strings.Cut(f.Principal, ":"); !ok || kind == "" || name == "" {
		return nil, &usage{err: fmt.Errorf("principal is %q, want one such as User:billing", f.Principal)}
	}
	rights := []right{}
	for _, a := range topics.ACLs(roles...) {
		r := right{
			Role: string(a.Role), Principal: topics.Principal(f.Principal, a.Role), Resource: string(a.Resource),
			Name: a.Name, Pattern: "literal", Operation: string(a.Operation), Without: a.Without,
		}
		if a.Prefix {
			r.Pattern = "prefixed"
		}
		words := append([]string{"kafka-acls", "--bootstrap-server", strings.Join(brokers, ",")}, a.Command(r.Principal)...)
		for i, word := range words {
			words[i] = quoted(word)
		}
		r.Command = strings.Join(words, " ")
		rights = append(rights, r)
	}
	return rights, nil
}

var bare = regexp.MustCompile(`^[A-Za-z0-9_.,:/@%+=-]+$`)

// quoted is a word as a shell wants it.
func quoted(word string) string {
	if bare.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
