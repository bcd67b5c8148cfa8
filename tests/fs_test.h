/* SPDX-License-Identifier: ISC */
#ifndef TESTS_FS_TEST_H
#define TESTS_FS_TEST_H

#include "tests/test.h"
#include "tests/stores.h"
#include "fs/handle.h"
#include "fs/inode.h"

/* A front end without a mount: inodes and names over a store. */

struct front {
	struct fixture store;
	struct fs fs;
};

static inline void front_open(struct front *f)
{
	make_fixture(&f->store);
	open_store(&f->store);
	f->fs = (struct fs){ .store = f->store.store, .uid = 7, .gid = 8 };
	rwlock_init(&f->fs.replying);
	pthread_mutex_init(&f->fs.handles_lock, NULL);
	assert_int_equal(inodes_init(&f->fs), 0);
}

static inline void front_close(struct front *f)
{
	handles_release(&f->fs);
	inodes_release(&f->fs);
	pthread_rwlock_destroy(&f->fs.replying);
	pthread_mutex_destroy(&f->fs.handles_lock);
	remove_fixture(&f->store);
}

static inline void front_make(struct front *f, const char *name)
{
	assert_int_equal(store_make(f->fs.store, name, &tester, NULL), 0);
}

/* The inode of a name in a space; referenced. */
static inline struct inode *front_lookup(struct front *f, struct inode *space,
					 const char *name, bool *ret_keep)
{
	struct inode *inode;

	assert_int_equal(name_lookup(&f->fs, space, name, &inode, ret_keep), 0);
	return inode;
}

#endif
