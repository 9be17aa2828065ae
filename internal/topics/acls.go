package topics

import (
	"cmp"
	"slices"
	"strings"
)

// Role is a use of the topics that gets a principal of its own.
type Role string

// The roles, the one that everything else serves first.
const (
	Processor Role = "processor" // run
	Viewer    Role = "view"      // run --roles view
	Operator  Role = "operator"  // emit, and run with --ingest on
	Verifier  Role = "verify"    // verify
	Applier   Role = "topics"    // topics plan, apply and check
)

// Roles lists the roles.
func Roles() []Role { return []Role{Processor, Viewer, Operator, Verifier, Applier} }

// Operation is what a rule allows, by Kafka's name of it. READ and WRITE
// include DESCRIBE, and ALTER_CONFIGS includes DESCRIBE_CONFIGS.
type Operation string

// The operations that some role needs.
const (
	Read            Operation = "READ"
	Write           Operation = "WRITE"
	CreateIt        Operation = "CREATE"
	Describe        Operation = "DESCRIBE"
	DescribeConfigs Operation = "DESCRIBE_CONFIGS"
	AlterConfigs    Operation = "ALTER_CONFIGS"
)

// Resource is a kind of thing that a rule is about.
type Resource string

// The kinds.
const (
	TopicResource         Resource = "topic"
	GroupResource         Resource = "group"
	TransactionalResource Resource = "transactional-id"
)

// ACL is one rule that a role needs: who has it may do Operation to what is
// named so.
type ACL struct {
	Role      Role
	Resource  Resource
	Name      string
	Prefix    bool // Name is the beginning of the names
	Operation Operation
	Without   string // what goes wrong without the rule
}

// TransactionalPrefix begins the transactional id of every process of a group.
func TransactionalPrefix(group string) string { return group + "-" }

// ACLs returns the rules of the given roles, all roles if none is given. They
// are enough, and without any one of them something of the role fails. A user
// that no rule is about may do nothing, where brokers keep to rules at all.
func ACLs(roles ...Role) []ACL {
	var acls []ACL
	for _, a := range rules() {
		if len(roles) == 0 || slices.Contains(roles, a.Role) {
			acls = append(acls, a)
		}
	}
	return acls
}

func rules() []ACL {
	acls := []ACL{
		{Processor, TopicResource, CustomerEvents, false, Read, "no event is read"},
		{Processor, TopicResource, BillingUpdates, false, Write, "no update can be committed"},
		{Processor, TopicResource, DeadLetters, false, Write, "the first bad record cannot be set aside, and its partition stands still"},
		{Processor, TopicResource, BillingTable, false, Read, "no account is recovered: seen at the next start or rebalance, and in lookups"},
		{Processor, TopicResource, BillingTable, false, Write, "no account can be committed"},
		{Processor, GroupResource, Group, false, Read, "the process cannot join the group"},
		{Processor, TransactionalResource, TransactionalPrefix(Group), true, Write, "no transaction begins; --guarantee at-least-once does without"},
	}
	for _, name := range Names() {
		acls = append(acls, ACL{Processor, TopicResource, name, false, DescribeConfigs, "the start does not check its settings, and says so"})
	}
	acls = append(acls,
		ACL{Viewer, TopicResource, BillingTable, false, Read, "no account is looked up"},
		ACL{Operator, TopicResource, CustomerEvents, false, Write, "no event is sent"},
		ACL{Operator, TopicResource, DeadLetters, false, Read, "no dead letter is seen"},
	)
	for _, name := range Names() {
		acls = append(acls, ACL{Verifier, TopicResource, name, false, Read, "nothing is judged"})
	}
	acls = append(acls, ACL{Verifier, GroupResource, Group, false, Describe, "nothing is judged"})
	for _, name := range Names() {
		acls = append(acls,
			ACL{Applier, TopicResource, name, false, Describe, "what is there is not seen"},
			ACL{Applier, TopicResource, name, false, CreateIt, "it cannot be made"},
			ACL{Applier, TopicResource, name, false, AlterConfigs, "its settings are neither seen nor mended"},
		)
	}
	return acls
}

// Principal is the user of a role: the given one is the processor's, and the
// others have the role behind it, since rights that are together on one user
// separate nothing.
func Principal(processor string, r Role) string {
	processor = cmp.Or(processor, "User:"+Group)
	if r == Processor {
		return processor
	}
	return processor + "-" + string(r)
}

// Command returns the arguments of Kafka's own kafka-acls that add the rule.
func (a ACL) Command(principal string) []string {
	args := []string{"--add", "--allow-principal", principal, "--operation", pascal(string(a.Operation)), "--" + string(a.Resource), a.Name}
	if a.Prefix {
		args = append(args, "--resource-pattern-type", "prefixed")
	}
	return args
}

// pascal writes DESCRIBE_CONFIGS as DescribeConfigs, which is how kafka-acls
// knows it.
func pascal(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}
