package githubtest_test

import (
	"context"
	"fmt"
	"net/url"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// A test shapes the world with the Add and Remove methods, and a real client reads it.
func ExampleServer() {
	ctx := context.Background()
	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice"})
	defer gh.Close()
	gh.AddTeam("admins")
	gh.AddMember("admins", "alice")
	gh.AddToken("ghp_reader", "reader")

	client := github.NewClient(nil).WithAuthToken("ghp_reader")
	client.BaseURL, _ = url.Parse(gh.URL())
	membership, _, err := client.Teams.GetTeamMembershipBySlug(ctx, gh.Organization(), "admins", "alice")
	fmt.Println(membership.GetState(), membership.GetRole(), err)

	gh.RemoveMember("admins", "alice")
	_, answer, _ := client.Teams.GetTeamMembershipBySlug(ctx, gh.Organization(), "admins", "alice")
	fmt.Println(answer.StatusCode, gh.Problems())
	// Output:
	// active member <nil>
	// 404 []
}
