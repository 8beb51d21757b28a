// These tests know the program as whoever runs it does: as a binary, its
// environment, its exit status, and what Slack, GitHub and AWS get to see.
package main_test

import (
	"testing"

	"github.com/aws-root-account/rootbot/bot/processtest"
)

// Nearly all the time goes into waiting for a log to be asked for again.
func TestMain(m *testing.M) { processtest.Main(m, 12) }
