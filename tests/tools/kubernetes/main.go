// Command kubernetes says what Kubernetes' own Go types make of objects, for tests that compare with it:
//
//	objects             the objects of objects.yaml: key, the value an API server stores, and its JSON
//	random SEED COUNT   COUNT randomly filled objects of every kind
//	fields              how each field of each stored type is written as JSON, where its protobuf does not tell
//	encrypt CONFIG      encrypts values (lines of resource, key and value) as an API server with that file does
//	manifests           reads YAML (lines of yaml) as kubectl and the API server do: its JSON, and what is wrong
//
// Lines in and out are JSON; bytes are base64.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	"sigs.k8s.io/yaml"
)

//go:embed objects.yaml
var objectsYAML []byte

var (
	codecs = serializer.NewCodecFactory(scheme)
	strict = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	out    = bufio.NewWriter(os.Stdout)
)

type stored struct {
	Key   string          `json:"key,omitempty"`
	Value []byte          `json:"value"`
	JSON  json.RawMessage `json:"json"`
}

func main() {
	defer out.Flush()
	switch os.Args[1] {
	case "objects":
		objects()
	case "random":
		random(number(os.Args[2]), int(number(os.Args[3])))
	case "fields":
		fields()
	case "encrypt":
		encrypt(os.Args[2])
	case "manifests":
		manifests()
	default:
		log.Fatalf("unknown %q", os.Args[1])
	}
}

func objects() {
	var items []struct {
		Key    string          `json:"key"`
		Object json.RawMessage `json:"object"`
	}
	must(yaml.UnmarshalStrict(objectsYAML, &items))
	for _, item := range items {
		object, _, err := strict.UniversalDeserializer().Decode(item.Object, nil, nil)
		if runtime.IsNotRegisteredError(err) { // a custom resource, which is stored as JSON
			var compact bytes.Buffer
			must(json.Compact(&compact, item.Object))
			emit(stored{item.Key, compact.Bytes(), compact.Bytes()})
			continue
		}
		if err != nil {
			log.Fatalf("%s: %v", item.Key, err)
		}
		emit(store(item.Key, object))
	}
}

func random(seed int64, count int) {
	fill := fuzzer.FuzzerFor(metafuzzer.Funcs, rand.NewSource(seed), codecs)
	kinds := storedKinds()
	for n := 0; n < count; n++ {
		for _, kind := range kinds {
			object, err := scheme.New(kind)
			must(err)
			fill.Fill(object)
			object.GetObjectKind().SetGroupVersionKind(kind)
			emit(store("", object))
		}
	}
}

// store gives what lies in etcd, and the JSON of what an API server reads from there.
func store(key string, object runtime.Object) stored {
	var value bytes.Buffer
	must(protobuf.NewSerializer(scheme, scheme).Encode(object, &value))
	read, _, err := protobuf.NewSerializer(scheme, scheme).Decode(value.Bytes(), nil, nil)
	if err != nil {
		log.Fatalf("%s %T: %v", key, object, err)
	}
	text, err := json.Marshal(read)
	must(err)
	return stored{key, value.Bytes(), text}
}

func storedKinds() []schema.GroupVersionKind {
	var found []schema.GroupVersionKind
	for kind := range scheme.AllKnownTypes() {
		object, err := scheme.New(kind)
		must(err)
		if _, is := object.(metav1.ObjectMetaAccessor); is && kind.Version != runtime.APIVersionInternal {
			found = append(found, kind)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].String() < found[j].String() })
	return found
}

func encrypt(config string) {
	loaded, err := encryptionconfig.LoadEncryptionConfig(context.Background(), config, false, "test")
	must(err)
	transformers := encryptionconfig.StaticTransformers(loaded.Transformers)
	lines(func(line []byte) {
		var asked struct {
			Resource string `json:"resource"`
			Key      string `json:"key"`
			Value    []byte `json:"value"`
		}
		must(json.Unmarshal(line, &asked))
		transformer := transformers.TransformerForResource(schema.ParseGroupResource(asked.Resource))
		done, err := transformer.TransformToStorage(context.Background(), asked.Value, value.DefaultContext(asked.Key))
		must(err)
		emit(map[string]any{"key": asked.Key, "value": done})
	})
}

func manifests() {
	lines(func(line []byte) {
		var asked struct {
			YAML string `json:"yaml"`
		}
		must(json.Unmarshal(line, &asked))
		answer := map[string]any{}
		text, err := yaml.YAMLToJSONStrict([]byte(asked.YAML))
		if err == nil {
			answer["json"] = json.RawMessage(text)
			_, _, err = strict.UniversalDeserializer().Decode(text, nil, nil)
		}
		if err != nil && !runtime.IsNotRegisteredError(err) {
			answer["error"] = err.Error()
		}
		emit(answer)
	})
}

func lines(each func([]byte)) {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 1<<28)
	for scanner.Scan() {
		if strings.TrimSpace(scanner.Text()) != "" {
			each(scanner.Bytes())
		}
	}
	must(scanner.Err())
}

func emit(answer any) {
	text, err := json.Marshal(answer)
	must(err)
	fmt.Fprintf(out, "%s\n", text)
}

func number(text string) int64 {
	found, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return found
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
