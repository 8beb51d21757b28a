package slacktest_test

import (
	"fmt"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// A real client posts; the workspace remembers, and shows what people see. A call that
// Slack would refuse is refused.
func ExampleWorkspace() {
	w := slacktest.New(slacktest.Options{})
	defer w.Close()
	ada := w.AddUser(slacktest.User{RealName: "Ada Lovelace"})
	ops := w.AddChannel(slacktest.Channel{Name: "ops", Members: []string{ada.ID, w.BotUserID}})

	client := slack.New(w.BotToken, slack.OptionAPIURL(w.URL()))
	_, card, err := client.PostMessage(ops.ID, slack.MsgOptionText("*Done*", false))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := w.Say(ada.ID, ops.ID, card, "Thank you"); err != nil {
		fmt.Println(err)
	}
	for _, m := range append(w.Messages(ops.ID), w.Thread(ops.ID, card)...) {
		fmt.Println(m.PlainText())
	}
	_, _, err = client.PostMessage("C0NOWHERE", slack.MsgOptionText("hello", false))
	fmt.Println(err, w.Problems())
	// Output:
	// *Done*
	// Thank you
	// channel_not_found []
}
