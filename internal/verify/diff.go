package verify

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// unknown is the field of a difference in members that the schema does not
// have.
const unknown = "unknown fields"

// differs returns the path of the first field in which two messages of one type
// differ, such as changes[0].new.name; "" if they are the same.
func differs(a, b proto.Message) string {
	if proto.Equal(a, b) {
		return ""
	}
	return firstOf(a.ProtoReflect(), b.ProtoReflect(), "")
}

func firstOf(a, b protoreflect.Message, path string) string {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := path + string(f.Name())
		if a.Has(f) != b.Has(f) {
			return name
		}
		if !a.Has(f) {
			continue
		}
		if found := inField(f, a.Get(f), b.Get(f), name); found != "" {
			return found
		}
	}
	if !slices.Equal(a.GetUnknown(), b.GetUnknown()) {
		return path + unknown
	}
	return ""
}

func inField(f protoreflect.FieldDescriptor, a, b protoreflect.Value, name string) string {
	switch {
	case f.IsList():
		if a.List().Len() != b.List().Len() {
			return name
		}
		for i := range a.List().Len() {
			if found := inValue(f, a.List().Get(i), b.List().Get(i), fmt.Sprintf("%s[%d]", name, i)); found != "" {
				return found
			}
		}
		return ""
	default:
		return inValue(f, a, b, name)
	}
}

func inValue(f protoreflect.FieldDescriptor, a, b protoreflect.Value, name string) string {
	if f.Message() != nil {
		return firstOf(a.Message(), b.Message(), name+".")
	}
	if !a.Equal(b) {
		return name
	}
	return ""
}

// differsJSON returns the path of the first difference of two decoded JSON
// values; "" if they are the same.
func differsJSON(a, b any, path string) string {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return path
		}
		return inObjects(a, b, path)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return path
		}
		for i := range a {
			if found := differsJSON(a[i], b[i], path+"["+strconv.Itoa(i)+"]"); found != "" {
				return found
			}
		}
		return ""
	}
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return path
}

// inObjects names members of b that a lacks by no more than that: their names
// come from outside.
func inObjects(a, b map[string]any, path string) string {
	if path != "" {
		path += "."
	}
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		other, ok := b[name]
		if !ok {
			return path + name
		}
		if found := differsJSON(a[name], other, path+name); found != "" {
			return found
		}
	}
	if len(b) > len(a) {
		return path + unknown
	}
	return ""
}
