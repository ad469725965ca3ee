package otlp

import (
	"iter"

	"go.opentelemetry.io/collector/pdata/plog"
)

// Records are the lines of all records.
func Records(logs plog.Logs, whole bool) iter.Seq2[[]byte, bool] { return records(logs, whole) }
