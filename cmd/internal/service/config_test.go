package service_test

import (
	"fmt"
	"testing"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func TestAChannelWithANumberSignIsAName(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"#reliability-eng": "reliability-eng", "#Reliability-Eng": "reliability-eng", "reliability-eng": "reliability-eng",
		"#C0456EFGH": "c0456efgh", "C0456EFGH": "C0456EFGH",
	} {
		config, err := service.ParseConfig("rootbot.yaml", fmt.Appendf(nil, "%s%s    channel: %q\n", head, syncs, written))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Operations[0].Terms.Place; got != want {
			t.Errorf("%s is %s, and not %s", written, got, want)
		}
	}
}
