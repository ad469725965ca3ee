package store

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Trouble is why the store can't do its work for now.
type Trouble struct {
	// Cause is a word for metrics: away, slow, read-only, disk-full,
	// too-many-parts, memory, damaged, taken, or other.
	Cause string
	// Hint is what an operator does about it.
	Hint string
}

var troubles = map[string]string{
	"away":           "start ClickHouse, or correct clickhouse.address; lines wait in Kafka meanwhile",
	"slow":           "see what ClickHouse is busy with in system.processes and system.merges; lines wait in Kafka meanwhile",
	"read-only":      "see system.replicas and the user's settings profile: tables must be writable; lines wait in Kafka meanwhile",
	"disk-full":      "free room on ClickHouse's disk; lines wait in Kafka meanwhile",
	"too-many-parts": "see system.merges: merges lag behind inserts; it goes on by itself when they have caught up",
	"memory":         "give ClickHouse more memory, or stop the large queries that share it",
	"damaged":        "start ClickHouse again, which drops a damaged merge and uses its parts; then tallystick ledger verify",
	"other":          "the error says what ClickHouse refused; lines wait in Kafka meanwhile",
}

// causes are those of ClickHouse's exceptions, by their numbers.
var causes = map[int32]string{
	159: "slow", 160: "slow", 209: "slow", 319: "slow", // TIMEOUT_EXCEEDED, TOO_SLOW, SOCKET_TIMEOUT, UNKNOWN_STATUS_OF_INSERT
	164: "read-only", 242: "read-only", 497: "read-only", // READONLY, TABLE_IS_READ_ONLY, ACCESS_DENIED
	75: "disk-full", 243: "disk-full", // CANNOT_WRITE_TO_FILE_DESCRIPTOR, NOT_ENOUGH_SPACE
	252: "too-many-parts", 241: "memory",
	33: "damaged", 40: "damaged", 228: "damaged", 246: "damaged", // CANNOT_READ_ALL_DATA, CHECKSUM_DOESNT_MATCH, ..., CORRUPTED_DATA
	210: "away", 279: "away", 999: "away", // NETWORK_ERROR, ALL_CONNECTION_TRIES_FAILED, KEEPER_EXCEPTION
}

// TroubleOf says what err means for the store, as far as it can be told.
func TroubleOf(err error) Trouble {
	cause := causeOf(err)
	return Trouble{cause, troubles[cause]}
}

func causeOf(err error) string {
	var ex *clickhouse.Exception
	var network net.Error
	switch {
	case errors.Is(err, ErrTaken):
		return "taken"
	case errors.Is(err, syscall.ENOSPC), err != nil && strings.Contains(err.Error(), "No space left on device"):
		return "disk-full"
	case errors.As(err, &ex):
		if c := causes[ex.Code]; c != "" {
			return c
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, http.ErrHandlerTimeout), errors.As(err, &network) && network.Timeout():
		return "slow"
	case errors.As(err, &network), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return "away"
	}
	return "other"
}
