"""The people of an account: users, their groups, invitations to become one."""
