package services_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/services"
	"github.com/tallystick/tallystick/services/masker"
)

// topicPolicy has the transforms that leave no part of a value.
const topicPolicy = `version: 1
domain: leak-topics
fields: {path: pseudonym, user: token, authority: redact, number: format, forwarded: truncate, at: date day}`

// maskedForms are the policies of the site: they are for the API too.
func (l *leakRun) maskedForms() []services.PolicyConfig {
	return []services.PolicyConfig{{Name: "topics", File: l.write("topics.yaml", topicPolicy), Keys: "", API: true}}
}

// documentsOf are documents with each canary in each place.
func documentsOf() (documents, text, avro []string) {
	for _, c := range canaries {
		v := strings.ToValidUTF8(c.value, "?")
		b, err := json.Marshal(map[string]any{"path": v, "user": v, "authority": map[string]string{v: v}, "number": v, "forwarded": []string{v}, "at": v, v: v})
		if err != nil {
			panic(err) // strings have a form in JSON
		}
		documents = append(documents, string(b))
		text = append(text, "a line with "+c.value+" in it")
		var a []byte
		for range 3 {
			a = append(binary.AppendVarint(a, int64(len(c.value))), c.value...)
		}
		avro = append(avro, string(a))
	}
	return documents, text, avro
}

// maskTopics sends canaries through the masker's topics: in values of each
// format, keys, headers, and records that can't be masked. What is in the
// outputs, what the metrics say and what is logged is put out.
func (l *leakRun) maskTopics() {
	t := l.t
	t.Helper()
	cfg := *l.cfg
	cfg.Kafka = brokertest.Start(t)
	cfg.Metrics.Listen = freeAddress(t)
	docs, texts, avro := documentsOf()
	schema := l.write("schema.avsc", `{"type":"record","name":"R","fields":[{"name":"path","type":"string"},{"name":"user","type":["null","string"]},{"name":"other","type":"bytes"}]}`)
	for i := range avro { // the branch of the union
		n, size := binary.Varint([]byte(avro[i]))
		first := size + int(n)
		avro[i] = avro[i][:first] + "\x02" + avro[i][first:]
	}
	bad := make([]string, len(docs))
	for i, d := range docs {
		bad[i] = d[:len(d)-1]
	}
	all := map[string][]string{"json": docs, "text": texts, "avro": avro, "bad": bad}
	client, err := broker.OpenTopic(cfg.Kafka, "json", broker.Deps{Log: slog.New(slog.DiscardHandler), Topics: []string{"text", "avro", "bad"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for topic, values := range all {
		s := masker.Stream{Name: topic, From: topic, To: topic + ".out", Policy: "topics", Key: masker.Payload{Transform: "pseudonym"},
			Headers: map[string]string{"user": "pseudonym"}, OnError: "dead-letter", DeadLetter: topic + ".dead", Value: masker.Payload{Format: topic}}
		switch topic {
		case "avro":
			s.Value.Schema = schema
		case "bad":
			s.Value.Format = "json"
		}
		cfg.Masker.Streams = append(cfg.Masker.Streams, s)
		if _, err := client.Ensure(t.Context(), topic, 1); err != nil {
			t.Fatal(err)
		}
		a, err := client.NewAppender(t.Context(), topic, 0)
		if err != nil {
			t.Fatal(err)
		}
		var msgs []broker.Message
		for i, v := range values {
			c := []byte(canaries[i].value)
			msgs = append(msgs, broker.Message{Key: c, Value: []byte(v), Headers: []broker.Header{{Name: "user", Value: c}, {Name: canaries[i].value, Value: c}}})
		}
		if err := a.Append(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	m, err := services.OpenMasker(&cfg, slog.New(slog.NewTextHandler(l.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for topic, values := range all {
		to := topic + ".out"
		if topic == "bad" {
			to = "bad.dead"
		}
		l.searchTopic(cfg.Kafka, to, len(values))
	}
	res, err := http.Get("http://" + m.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || !strings.Contains(string(b), "tallystick_masker_records_total") {
		t.Errorf("metrics of the masker: %v", err)
	}
	l.put("metrics of the masker", b)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// searchTopic waits for n records of a topic and puts them out.
func (l *leakRun) searchTopic(cfg broker.Config, topic string, n int) {
	t := l.t
	t.Helper()
	c, err := broker.OpenTopic(cfg, topic, broker.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	wait(t, topic+" has its records", func() bool {
		ends, err := c.Ends(t.Context(), topic)
		return err == nil && ends[0] >= int64(n)
	})
	err = c.Read(t.Context(), topic, 0, 0, int64(n), func(m broker.Message) error {
		l.put(fmt.Sprintf("topic %s, offset %d", topic, m.Offset), fmt.Appendf(nil, "%s\n%s\n%s", m.Key, m.Value, m.Headers))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// askDocuments sends canaries to the API's routes for documents.
func (l *leakRun) askDocuments(csrf string) {
	docs, texts, _ := documentsOf()
	post := func(path, media, body string, status int) {
		l.t.Helper()
		req, err := http.NewRequest(http.MethodPost, l.base+path, strings.NewReader(body))
		if err != nil {
			l.t.Fatal(err)
		}
		req.Header.Set("Content-Type", media)
		req.Header.Set("X-CSRF-Token", csrf)
		res, err := l.client.Do(req)
		if err != nil {
			l.t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != status {
			l.t.Errorf("%s with %s answers %d, want %d: %v", path[:min(len(path), 16)], media, res.StatusCode, status, err)
		}
		l.put("answer of "+path[:min(len(path), 12)], answer)
	}
	lines := strings.Join(docs, "\n")
	post("/api/v1/detect", "application/x-ndjson", lines, 200)
	post("/api/v1/detect", "text/plain", strings.ToValidUTF8(strings.Join(texts, "\n"), "?"), 200)
	post("/api/v1/mask?policy=topics", "application/x-ndjson", lines, 200)
	post("/api/v1/mask?policy=topics", "application/json", "["+strings.Join(docs, ",\n")+"]", 200)
	post("/api/v1/mask?policy=topics", "text/plain", strings.ToValidUTF8(strings.Join(texts, "\n"), "?"), 200)
	post("/api/v1/mask?policy=topics", "application/json", lines, 422)
	post("/api/v1/mask?policy=topics", "text/plain", value("bytes that are no text"), 400)
	post("/api/v1/detect", "application/"+strings.ReplaceAll(value("name as user"), " ", ""), lines, 415)
}
