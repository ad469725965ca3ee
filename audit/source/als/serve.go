package als

import (
	"errors"
	"io"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogservice "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallystick/tallystick/audit/source"
)

// service is the gRPC service.
type service struct {
	accesslogservice.UnimplementedAccessLogServiceServer
	r *Reader
}

// StreamAccessLogs takes the entries of one worker of an Envoy. While there is
// no room it reads nothing more: Envoy holds what the windows of HTTP/2 do not
// take. A stream that begins while there is no room is refused, so that it can
// go to another tap.
func (s *service) StreamAccessLogs(stream accesslogservice.AccessLogService_StreamAccessLogsServer) error {
	r := s.r
	if r.inlet.Full() {
		r.deps.Count("refused", 1)
		return status.Error(codes.Unavailable, "no room: Kafka takes nothing at present")
	}
	r.open.Add(1)
	defer r.open.Add(-1)
	w := newWriter()
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return stream.SendAndClose(&accesslogservice.StreamAccessLogsResponse{})
		case status.Code(err) == codes.ResourceExhausted:
			r.deps.Count("message_too_large", 1)
			return err
		case err != nil:
			return err
		}
		if id := m.GetIdentifier(); id != nil { // in the first message only
			w.logName, w.node = id.GetLogName(), id.GetNode().GetId()
		}
		if err := s.take(stream, w, m); err != nil {
			return status.Error(codes.Unavailable, "the tap is closing")
		}
	}
}

func (s *service) take(stream accesslogservice.AccessLogService_StreamAccessLogsServer, w *writer, m *accesslogservice.StreamAccessLogsMessage) error {
	for _, e := range m.GetHttpLogs().GetLogEntry() {
		if err := s.put(stream, w.http(e), e.GetCommonProperties(), endHTTP, "http"); err != nil {
			return err
		}
	}
	for _, e := range m.GetTcpLogs().GetLogEntry() {
		if err := s.put(stream, w.tcp(e), e.GetCommonProperties(), endTCP, "tcp"); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) put(stream accesslogservice.AccessLogService_StreamAccessLogsServer, b []byte, c *accesslogv3.AccessLogCommon, k kind, outcome string) error {
	if !ended(c) {
		k, outcome = other, "intermediate"
	}
	if len(b) > source.MaxLine {
		outcome = "too_long"
	}
	if err := s.r.put(stream.Context(), b, k); err != nil {
		return err
	}
	s.r.deps.Count(outcome, 1)
	return nil
}
