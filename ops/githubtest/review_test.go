package githubtest_test

import (
	"net/http"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestReviewersAreAsked(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
	gh.AddCollaborator(org+"/users", "ann", "write")
	gh.AddUser("bob")
	for _, test := range []struct {
		name, who string
		status    int // 0: they are asked
		message   string
	}{
		{"a collaborator", "ann", 0, ""},
		{"the same once more, in another case", "Ann", 0, ""},
		{"who is no collaborator", "bob", http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the " + org + "/users repository."},
		{"who isn't there", "nobody-here", http.StatusUnprocessableEntity, "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the " + org + "/users repository."},
		{"the author", "writer", http.StatusUnprocessableEntity, "Review cannot be requested from pull request author."},
	} {
		t.Run(test.name, func(t *testing.T) {
			pull, _, err := c.PullRequests.RequestReviewers(t.Context(), org, "users", 1, github.ReviewersRequest{Reviewers: []string{test.who}})
			if test.status != 0 {
				refused(t, err, test.status, test.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(pull.RequestedReviewers) != 1 || pull.RequestedReviewers[0].GetLogin() != "ann" {
				t.Errorf("asked %v", pull.RequestedReviewers)
			}
		})
	}
	equal(t, gh.Pull(org+"/users", 1).Reviewers, []string{"ann"})
	_, _, err := c.PullRequests.RequestReviewers(t.Context(), org, "users", 2, github.ReviewersRequest{Reviewers: []string{"ann"}})
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestAnIssueSaysWhoClosedThePullRequest(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
	issue := must(c.Issues.Get(t.Context(), org, "users", 1))(t)
	if issue.ClosedBy != nil || issue.GetState() != "open" || !issue.IsPullRequest() || issue.GetTitle() != "Remove bob" {
		t.Errorf("open: %v", issue)
	}
	gh.ClosePull(org+"/users", 1, "ann")
	issue = must(c.Issues.Get(t.Context(), org, "users", 1))(t)
	if issue.GetClosedBy().GetLogin() != "ann" || issue.GetState() != "closed" {
		t.Errorf("closed: %v", issue)
	}
	_, _, err := c.Issues.Get(t.Context(), org, "users", 2)
	refused(t, err, http.StatusNotFound, "Not Found")
}
