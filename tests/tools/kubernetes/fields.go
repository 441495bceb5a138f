package main

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fields writes a line a message, its protobuf name first, then the fields whose protobuf does not tell how their JSON
// is, as "number:how" or "number:how=name in JSON".
//
//	>   its own fields stand in its place
//	!   written always: null where a list, a map or bytes are not there, zero where anything else is not
//	n   written always: null where it is not there
//	?   written if the protobuf has it, zero or not: a pointer to a number, a text or a truth value
//	z   a time that is left out where it is zero
//	=   nothing special but the name
func fields() {
	seen := map[reflect.Type]bool{}
	for _, kind := range storedKinds() {
		visit(scheme.AllKnownTypes()[kind], seen)
	}
	visit(reflect.TypeFor[metav1.ObjectMeta](), seen)
	var types []reflect.Type
	for found := range seen {
		types = append(types, found)
	}
	sort.Slice(types, func(i, j int) bool { return message(types[i]) < message(types[j]) })
	for _, found := range types {
		var odd []string
		for field := range found.NumField() {
			if how := describe(found.Field(field)); how != "" {
				odd = append(odd, how)
			}
		}
		fmt.Fprintln(out, strings.Join(append([]string{message(found)}, odd...), " "))
	}
}

func message(of reflect.Type) string {
	path := strings.NewReplacer("/", ".", "-", "_").Replace(of.PkgPath())
	return path + "." + of.Name()
}

func visit(of reflect.Type, seen map[reflect.Type]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		visit(of.Elem(), seen)
	case reflect.Struct:
		if seen[of] || !strings.HasPrefix(of.PkgPath(), "k8s.io/") || special[of.Name()] {
			return
		}
		seen[of] = true
		for n := range of.NumField() {
			if of.Field(n).Tag.Get("protobuf") != "" {
				visit(of.Field(n).Type, seen)
			}
		}
	}
}

// special types write their JSON themselves.
var special = map[string]bool{
	"Time": true, "MicroTime": true, "Quantity": true, "IntOrString": true, "Duration": true, "FieldsV1": true,
	"RawExtension": true,
}

func describe(field reflect.StructField) string {
	tag := strings.Split(field.Tag.Get("protobuf"), ",")
	if len(tag) < 2 {
		return ""
	}
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	how := ""
	kind := field.Type.Kind()
	omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
	switch {
	case name == "" && (field.Anonymous || strings.Contains(options, "inline")):
		return tag[1] + ":>"
	case name == "-":
		return tag[1] + ":-"
	case strings.Contains(options, "omitzero"):
		how = "z"
	case !omitted && kind == reflect.Pointer:
		how = "n"
	case !omitted, kind == reflect.Struct:
		how = "!"
	case kind == reflect.Pointer && field.Type.Elem().Kind() != reflect.Struct:
		how = "?"
	}
	if name != protobufName(tag) {
		how += "=" + name
	}
	if how == "" {
		return ""
	}
	return tag[1] + ":" + how
}

func protobufName(tag []string) string {
	for _, part := range tag {
		if name, is := strings.CutPrefix(part, "name="); is {
			return name
		}
	}
	return ""
}
