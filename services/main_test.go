package services_test

import (
	"testing"

	"github.com/tallystick/tallystick/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
