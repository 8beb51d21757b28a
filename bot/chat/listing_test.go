package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// All open requests and links fit, with as many buttons as Slack takes.
func TestOpenRequestsAndLinksFitIntoAMessage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ requests, links int }{{0, 3}, {6, 30}, {0, 60}} {
		t.Run(fmt.Sprintf("%d requests, %d links", test.requests, test.links), func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			for i := range test.requests {
				o.proposes(o.ada, fmt.Sprintf("person%d@example.com", i))
			}
			for i := range test.links {
				now := time.Now().UTC()
				link := store.Link{Workspace: o.TeamID, User: fmt.Sprintf("U0NEW%02d", i), GitHub: int64(9000 + i), Login: fmt.Sprintf("new%02d", i), At: now, How: "device flow", Asked: now, Told: now}
				if err := o.desk.Store.AddLink(t.Context(), link, request.Change{}); err != nil {
					t.Fatal(err)
				}
			}
			said := o.asksAbout(o.ada, "requests")
			private := o.Ephemerals(o.ada.ID)
			if n := len(private[len(private)-1].Buttons()); n < 2*min(test.links, 12) {
				t.Errorf("it has %d buttons: %s", n, said)
			}
			contains(t, "the list", said, "new00")
			if test.links > 25 {
				contains(t, "the list", said, "links that must be confirmed")
			}
			o.fine()
		})
	}
}

// Slack's wish to be waited for has many forms.
func TestAMemberIsNotRefusedWhereSlackAsksToWait(t *testing.T) {
	t.Parallel()
	for _, fault := range []slacktest.Fault{{Status: 429}, {Error: "ratelimited"}} {
		t.Run(fmt.Sprintf("%d %s", fault.Status, fault.Error), func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			o.Fail("users.info", fault)
			o.types(o.ada, o.home, "")
			if text := o.card("Done").PlainText(); strings.Contains(text, "Not run") {
				t.Error(text)
			}
		})
	}
}
