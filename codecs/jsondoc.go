package codecs

import (
	"math"
	"strconv"
	"strings"
)

// find looks up members of the object at node i: at[k] becomes the node of the
// value of names[k], 0 when it is absent. Names match exactly.
func (d *document) find(i int, names []string, at []int) {
	end := int(d.nodes[i].next)
	for k := i + 1; k < end; k = int(d.nodes[k+1].next) {
		name := d.text(k)
		for n := range names {
			if names[n] == name {
				at[n] = k + 1
				break
			}
		}
	}
}

// integer returns the number at node i; one that int64 cannot hold becomes the
// nearest that it can. ok is false when it has a fraction or an exponent.
func (d *document) integer(i int) (v int64, ok bool) {
	if !d.nodes[i].integer {
		return 0, false
	}
	s := d.raw(i)
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil && s[0] == '-' {
		return math.MinInt64, true
	} else if err != nil {
		return math.MaxInt64, true
	}
	return v, true
}

// repeated returns the first object in which a name occurs twice, -1 if there
// is none. Names are compared without their escapes.
func (d *document) repeated() int {
	for i := range d.nodes {
		if d.nodes[i].kind == kindObject && d.repeats(i) {
			return i
		}
	}
	return -1
}

// fewNames is up to how many names it is cheaper to compare each with each.
const fewNames = 16

func (d *document) repeats(obj int) bool {
	var few [fewNames]string
	n := 0
	end := int(d.nodes[obj].next)
	for k := obj + 1; k < end; k = int(d.nodes[k+1].next) {
		if n == fewNames {
			return d.repeatsAmongMany(obj)
		}
		name := d.text(k)
		for _, other := range few[:n] {
			if other == name {
				return true
			}
		}
		few[n] = name
		n++
	}
	return false
}

func (d *document) repeatsAmongMany(obj int) bool {
	seen := make(map[string]bool)
	end := int(d.nodes[obj].next)
	for k := obj + 1; k < end; k = int(d.nodes[k+1].next) {
		name := d.text(k)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// half returns the first string with half a surrogate pair, -1 if there is
// none.
func (d *document) half() int {
	for i := range d.nodes {
		if d.nodes[i].escaped {
			if _, whole := unescape(d.raw(i)); !whole {
				return i
			}
		}
	}
	return -1
}

// pointer returns the JSON pointer (RFC 6901) of node target, or of the nearest
// object around it that can be named: a name that is not part of the contract
// could be a customer's data.
func (d *document) pointer(target int) string {
	var b strings.Builder
	at := 0
	for at < target {
		child, step := d.step(at, target)
		if step == "" {
			break
		}
		b.WriteByte('/')
		b.WriteString(step)
		at = child
	}
	return b.String()
}

// step returns the part of the array or object at node i that holds target,
// and its name or index; "" when that cannot be told, or when target is a name.
func (d *document) step(i, target int) (child int, name string) {
	end := int(d.nodes[i].next)
	if d.nodes[i].kind == kindArray {
		index := 0
		for k := i + 1; k < end; k = int(d.nodes[k].next) {
			if target < int(d.nodes[k].next) {
				return k, strconv.Itoa(index)
			}
			index++
		}
		return 0, ""
	}
	for k := i + 1; k < end; k = int(d.nodes[k+1].next) {
		if target > k && target < int(d.nodes[k+1].next) {
			return k + 1, memberOfContract(d.text(k))
		}
	}
	return 0, ""
}

// memberOfContract returns name if it is one that an event's data may have, ""
// if not.
func memberOfContract(name string) string {
	switch name {
	case "effective_from", "kind", "reason",
		"name", "billing_address", "shipping_address", "address", "contact", "tax", "payment_method", "plan",
		"line1", "line2", "city", "postal_code", "country", "subdivision",
		"email", "phone", "locale", "time_zone", "invoice_recipients",
		"tax_ids", "exempt", "type", "value",
		"ref", "brand", "last4", "exp_month", "exp_year",
		"code", "amount_minor", "currency", "interval":
		return name
	}
	return ""
}
