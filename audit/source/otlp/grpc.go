package otlp

import (
	"context"
	"crypto/tls"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // senders may compress
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retryAfter is when a sender is to come again.
const retryAfter = 5 * time.Second

// newGRPC makes the gRPC server. A message may have MaxBody bytes, also
// decompressed, and a connection few at once: each is in memory as a whole.
func newGRPC(r *Reader, tls *tls.Config) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(r.cfg.MaxBody), grpc.MaxConcurrentStreams(16), grpc.ConnectionTimeout(headerTimeout),
		grpc.WaitForHandlers(true), grpc.MaxHeaderListSize(maxHeader),
		grpc.ForceServerCodecV2(codec{CodecV2: encoding.GetCodecV2(protocodec.Name), shape: r.shape}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(tls)))
	}
	s := grpc.NewServer(options...)
	plogotlp.RegisterGRPCServer(s, &service{r: r})
	return s
}

// service is the LogsService.
type service struct {
	plogotlp.UnimplementedGRPCServer
	r *Reader
}

// Export takes the records of a request.
func (s *service) Export(ctx context.Context, req plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	resp, err := s.r.take(ctx, req)
	if err == nil {
		s.r.deps.Count("accepted", 1)
		return resp, nil
	}
	s.r.deps.Count("full", 1)
	again := status.New(codes.Unavailable, err.Error())
	if d, err := again.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		again = d
	}
	return resp, again.Err()
}
