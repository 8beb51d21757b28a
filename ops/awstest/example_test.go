package awstest_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// The clients are the SDK's own; only their address differs. The bot's own identity may
// assume roles and nothing else, and the role may do what its policy says.
func ExampleCloud() {
	ctx := context.Background()
	cloud := awstest.New(awstest.Options{})
	defer cloud.Close()
	cloud.Organization().AddAccount("222222222222", "ponds", "aws-root+ponds@example.org")
	cloud.AddRole(awstest.Role{
		ARN:    "arn:aws:iam::111111111111:role/reader",
		Trust:  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"},"Action":"sts:AssumeRole"}]}`,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"organizations:ListAccounts","Resource":"*"}]}`,
	})

	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloud.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, ""),
	}
	if _, err := organizations.NewFromConfig(config).ListAccounts(ctx, nil); err == nil {
		fmt.Println("the bot's own identity lists the accounts")
	}
	session, err := sts.NewFromConfig(config).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/reader"), RoleSessionName: aws.String("octocat"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := session.Credentials
	config.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	page, err := organizations.NewFromConfig(config).ListAccounts(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, account := range page.Accounts {
		fmt.Println(*account.Id, *account.Name, account.State)
	}
	for _, call := range cloud.Calls() {
		fmt.Println(call.Name(), call.Allowed)
	}
	fmt.Println(cloud.Problems())
	// Output:
	// 111111111111 management ACTIVE
	// 222222222222 ponds ACTIVE
	// organizations:ListAccounts false
	// sts:AssumeRole true
	// organizations:ListAccounts true
	// []
}
