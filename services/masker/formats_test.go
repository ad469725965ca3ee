package masker_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/masker"
)

// TestFormats masks Avro with a registry and with a file, Protobuf with and
// without a registry's frame, framed JSON and text, keys as well.
func TestFormats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("fields.yaml", "version: 1\ndomain: test\ntext: detect\nfields: {mail: last 4, name: last 4}\nfound: {email: last 4}")
	var away atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		user, password, _ := q.BasicAuth()
		if user != "reader" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch n := away.Add(1); {
		case n == 1:
			w.WriteHeader(http.StatusBadGateway)
		case n == 2: // not from a registry
			http.NotFound(w, q)
		case q.URL.Path == "/schemas/ids/258":
			_, _ = w.Write([]byte(`{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"mail\",\"type\":\"x.Mail\"}]}","references":[{"name":"x.Mail","subject":"x/mail","version":3}]}`))
		case q.URL.EscapedPath() == "/subjects/x%2Fmail/versions/3":
			_, _ = w.Write([]byte(`{"schema":"{\"type\":\"fixed\",\"name\":\"Mail\",\"namespace\":\"x\",\"size\":2}"}`))
		case q.URL.Path == "/schemas/ids/7":
			_, _ = w.Write([]byte(`{"schema":"{\"type\":\"record\",\"name\":\"K\",\"fields\":[{\"name\":\"mail\",\"type\":\"string\"}]}"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error_code":40403,"message":"Schema 9 not found"}`))
		}
	}))
	defer registry.Close()
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protoFile()}})
	if err != nil {
		t.Fatal(err)
	}
	descriptors := r.write("set.binpb", string(set))
	schema := r.write("mail.avsc", `{"type":"record","name":"R","fields":[{"name":"mail","type":"string"}]}`)
	password := r.write("password", "secret\n")
	const mail = "ann@example.com"
	framed := "\x00\x00\x00\x00\x07"
	cases := []struct {
		name       string
		key, value masker.Payload
		in, want   broker.Message
		error      string
	}{
		{"avro of a registry", masker.Payload{Format: "avro", Framed: true}, masker.Payload{Format: "avro", Framed: true},
			broker.Message{Key: []byte(framed + "\x1e" + mail), Value: []byte("\x00\x00\x00\x01\x02ab")},
			broker.Message{Key: []byte(framed + "\x0e***.com"), Value: []byte("\x00\x00\x00\x01\x02\x00\x00")}, ""},
		{"a schema that is not there", masker.Payload{}, masker.Payload{Format: "avro", Framed: true},
			broker.Message{Value: []byte("\x00\x00\x00\x00\x09a")}, broker.Message{}, "the schema registry does not have its schema"},
		{"no frame", masker.Payload{}, masker.Payload{Format: "avro", Framed: true},
			broker.Message{Value: []byte(`{"a":1}`)}, broker.Message{}, "it does not begin with a schema registry's frame"},
		{"avro of a file", masker.Payload{}, masker.Payload{Format: "avro", Schema: schema},
			broker.Message{Key: []byte(mail), Value: []byte("\x1e" + mail)}, broker.Message{Value: []byte("\x0e***.com")}, ""},
		{"protobuf", masker.Payload{}, masker.Payload{Format: "protobuf", Descriptors: descriptors, Message: "test.M"},
			broker.Message{Value: []byte("\x0a\x0f" + mail)}, broker.Message{Value: []byte("\x0a\x07***.com")}, ""},
		{"framed protobuf", masker.Payload{}, masker.Payload{Format: "protobuf", Framed: true, Descriptors: descriptors, Message: "test.M"},
			broker.Message{Value: []byte(framed + "\x00\x0a\x0f" + mail)}, broker.Message{Value: []byte(framed + "\x00\x0a\x07***.com")}, ""},
		{"another message", masker.Payload{}, masker.Payload{Format: "protobuf", Framed: true, Descriptors: descriptors, Message: "test.M"},
			broker.Message{Value: []byte(framed + "\x02\x02\x0a\x0f" + mail)}, broker.Message{}, "Protobuf of another message"},
		{"framed JSON", masker.Payload{Format: "text"}, masker.Payload{Format: "json", Framed: true},
			broker.Message{Key: []byte("to " + mail), Value: []byte(framed + `[{"mail":"` + mail + `"},"` + mail + `"]`)},
			broker.Message{Key: []byte("to ***.com"), Value: []byte(framed + `[{"mail":"***.com"},"[redacted]"]`)}, ""},
		{"text", masker.Payload{Transform: "keep"}, masker.Payload{Format: "text"},
			broker.Message{Key: []byte("7"), Value: []byte("{mail to " + mail)}, broker.Message{Key: []byte("7"), Value: []byte("{mail to ***.com")}, ""},
	}
	var streams []masker.Stream
	for i, tc := range cases {
		letter := string(rune('a' + i))
		r.produce("in"+letter, 1, 0, tc.in)
		streams = append(streams, masker.Stream{Name: letter, From: "in" + letter, To: "out" + letter, Policy: "fields", Key: tc.key, Value: tc.value,
			OnError: "dead-letter", DeadLetter: "dead" + letter, Registry: masker.Registry{URL: registry.URL, User: "reader", PasswordFile: password}})
	}
	stop := r.start(streams...)
	for i, tc := range cases {
		if tc.error != "" {
			out := r.read(streams[i].DeadLetter, 1)
			if reason := header(&out[0], "tallystick-reason"); !strings.Contains(reason, tc.error) || strings.Contains(reason, mail) {
				t.Errorf("%s: %s; want ...%s", tc.name, reason, tc.error)
			}
			continue
		}
		out := r.read(streams[i].To, 1)
		if d := cmp.Diff([]string{string(tc.want.Key), string(tc.want.Value)}, []string{string(out[0].Key), string(out[0].Value)}); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if away.Load() < 6 {
		t.Error("the registry was not asked again")
	}
}

func protoFile() *descriptorpb.FileDescriptorProto {
	field := &descriptorpb.FieldDescriptorProto{Name: proto.String("mail"), Number: proto.Int32(1),
		Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
	return &descriptorpb.FileDescriptorProto{Name: proto.String("test.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M"), Field: []*descriptorpb.FieldDescriptorProto{field}}}}
}
